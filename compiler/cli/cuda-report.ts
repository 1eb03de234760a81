/** CUDA as a package would find it in Node, for `atpc doctor`: by the runtime's own code. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface CudaReport {
  /** The newest CUDA that the driver supports, such as 13.0; null where there is no driver that can be used. */
  readonly driver: string | null;
  /** In the order of CUDA_VISIBLE_DEVICES. */
  readonly devices: readonly {
    readonly name: string;
    readonly computeCapability: string;
    readonly memoryBytes: number;
    readonly multiprocessors: number;
  }[];
  /** Why there is no driver, or no device. */
  readonly why: string | null;
}

// The runtime lies beside the compiler, as .ts in a checkout and as .js in the published package.
const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const backend = fileURLToPath(new URL('../../runtime/backends/cuda', import.meta.url));
const probe = `
import { openCudaDriver } from './driver${extension}';
import { cudaDevices, formatCapability } from './devices${extension}';
import { formatVersion } from './ptx${extension}';
const report = { driver: null, devices: [], why: null };
try {
  const driver = openCudaDriver();
  report.driver = formatVersion(driver.version());
  report.devices = cudaDevices(driver).map(({ name, capability, bytes, multiprocessors }) => (
    { name, computeCapability: formatCapability(capability), memoryBytes: bytes, multiprocessors }));
} catch (error) {
  report.why = error.message + (error.hint ? ' ' + error.hint : '');
}
process.stdout.write(JSON.stringify(report));
`;
const probeMilliseconds = 20_000;

/** In a process of its own: a driver that is broken takes it down. */
export async function cudaReport(): Promise<CudaReport> {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    stdin: { contents: probe, resolveDir: backend },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'es2022',
    // koffi is looked for beside atpc too.
    define: { 'import.meta.url': JSON.stringify(import.meta.url) },
    logLevel: 'silent',
  });
  const output = await new Promise<string>((resolve) => {
    const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      timeout: probeMilliseconds,
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    child.on('error', () => resolve('')).on('close', () => resolve(text));
    child.stdin.end(outputFiles[0]?.text);
  });
  try {
    return withoutFolders(JSON.parse(output) as CudaReport);
  } catch {
    return { driver: null, devices: [], why: 'the process that asked the driver ended without an answer' };
  }
}
/** What is said of a driver names no folder of the user's. */
function withoutFolders({ why, ...report }: CudaReport): CudaReport {
  const folder = /(^|[\s'"(])(?:[A-Za-z]:)?(?:[\\/][^\s'"():,;]+)+[\\/]([^\s'"():,;\\/]*)/g;
  return { ...report, why: why && why.replaceAll(folder, '$1$2') };
}
