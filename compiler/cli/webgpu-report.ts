/** WebGPU as a package would find it in Node, for `atpc doctor`. */
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

export interface WebGpuReport {
  /** Version of the npm package webgpu; null where it is not installed. */
  readonly package: string | null;
  readonly adapter: {
    readonly vendor: string;
    readonly architecture: string;
    readonly description: string;
    readonly features: readonly string[];
    readonly limits: Readonly<Record<string, number>>;
  } | null;
  /** Why there is no adapter. */
  readonly why: string | null;
}

/** Features and limits that the kernels and the runtime look at. */
const features = ['subgroups', 'shader-f16', 'timestamp-query'] as const;
const limits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
] as const;

const probe = `
const { create } = await import(process.argv[1]);
const gpu = create([]);
const adapter = await gpu.requestAdapter();
let report = null;
if (adapter !== null) {
  const { vendor, architecture, description } = adapter.info;
  const features = ${JSON.stringify(features)}.filter((name) => adapter.features.has(name));
  const limits = Object.fromEntries(${JSON.stringify(limits)}.map((name) => [name, adapter.limits[name]]));
  report = { vendor, architecture, description, features, limits };
}
// Dawn may crash on its way out.
process.stdout.write(JSON.stringify(report), () => process.kill(process.pid, 'SIGKILL'));
`;
const probeMilliseconds = 20_000;

/** In a process of its own: a driver that is broken takes it down. */
export async function webGpuReport(): Promise<WebGpuReport> {
  const found = findWebGpu();
  if (!found) return { package: null, adapter: null, why: 'the npm package webgpu is not installed (npm install webgpu)' };
  const { version, file } = found;
  const output = await new Promise<string>((resolve) => {
    const parameters = ['--no-warnings', '--input-type=module', '--eval', probe, pathToFileURL(file).href];
    execFile(process.execPath, parameters, { timeout: probeMilliseconds }, (_error, stdout) => resolve(stdout.trim()));
  });
  const line = output.split('\n').at(-1) ?? '';
  if (line === 'null')
    return { package: version, adapter: null, why: 'Dawn finds no adapter: no GPU, or no driver for Vulkan, Metal or D3D' };
  try {
    return { package: version, adapter: JSON.parse(line) as WebGpuReport['adapter'], why: null };
  } catch {
    return { package: version, adapter: null, why: 'the npm package webgpu does not load here, or its process ended' };
  }
}

/** As the runtime looks for it: from the working directory; and beside atpc. */
function findWebGpu(): { readonly version: string; readonly file: string } | null {
  for (const place of [`${process.cwd()}/`, import.meta.url]) {
    try {
      const resolver = createRequire(place);
      const { version } = resolver('webgpu/package.json') as { readonly version: string };
      return { version, file: resolver.resolve('webgpu') };
    } catch {
      continue;
    }
  }
  return null;
}
