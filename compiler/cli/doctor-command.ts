/** `atpc doctor`: what a bug report needs, and nothing that names a person: no paths, no host name, no user. */
import { execFile } from 'node:child_process';
import os from 'node:os';
import { existsSync, readFileSync } from 'node:fs';
import { compilerVersion } from '../version.ts';
import { cudaCompilerLines, cudaCompilersReport, type CudaCompilersReport } from './cuda-compilers-report.ts';
import { cudaReport, type CudaReport } from './cuda-report.ts';
import { nativeLines, nativeReport, type NativeReport } from './native-report.ts';
import { webGpuReport, type WebGpuReport } from './webgpu-report.ts';
import { formatBytes, formatPairs } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export interface DoctorReport {
  readonly atpc: string;
  readonly node: string;
  readonly v8: string;
  readonly platform: { readonly name: string; readonly architecture: string; readonly release: string };
  readonly processor: { readonly model: string; readonly count: number; readonly available: number };
  /** Bytes. `limit` is that of the container, where there is one below the total. */
  readonly memory: { readonly total: number; readonly free: number; readonly limit: number | null };
  readonly webAssembly: { readonly simd128: boolean; readonly 'relaxed-simd': boolean; readonly threads: boolean };
  readonly sharedArrayBuffer: boolean;
  readonly webGpu: WebGpuReport;
  readonly cuda: CudaReport;
  readonly cudaCompilers: CudaCompilersReport;
  readonly native: NativeReport;
  /** Versions of packages that the compiler stands on; null where one is missing. */
  readonly packages: Readonly<Record<string, string | null>>;
  /** First line of `--version`; null for a tool that is not found. */
  readonly tools: Readonly<Record<string, string | null>>;
}

/** A module with one type, one function and, for threads, a shared memory, as the binary format (W3C, chapter 5) has it. */
function moduleBytes(
  parameters: readonly number[],
  results: readonly number[],
  body: readonly number[],
  shared = false,
): Uint8Array {
  const section = (id: number, content: readonly number[]): number[] => [id, content.length, ...content];
  const type = [1, 0x60, parameters.length, ...parameters, results.length, ...results];
  const code = [0, ...body, 0x0b];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, type),
    ...section(3, [1, 0]),
    ...(shared ? section(5, [1, 3, 1, 1]) : []),
    ...section(10, [1, code.length, ...code]),
  ]);
}
const [v128, i32] = [0x7b, 0x7f];
const get = (local: number): readonly number[] => [0x20, local];
/** The smallest function that needs the feature. */
const probes = {
  // f32x4.add
  simd128: moduleBytes([v128, v128], [v128], [...get(0), ...get(1), 0xfd, 0xe4, 0x01]),
  // f32x4.relaxed_madd
  'relaxed-simd': moduleBytes([v128, v128, v128], [v128], [...get(0), ...get(1), ...get(2), 0xfd, 0x85, 0x02]),
  // i32.atomic.load of a shared memory
  threads: moduleBytes([i32], [i32], [...get(0), 0xfe, 0x10, 0x02, 0x00], true),
} as const satisfies { readonly [K in keyof DoctorReport['webAssembly']]: Uint8Array };

const packageNames = [
  'binaryen',
  'esbuild',
  'ts-morph',
  '@huggingface/hub',
  '@huggingface/tokenizers',
  'webgpu',
  'koffi',
  'playwright-core',
] as const;
const toolCommands = {
  npm: ['npm'],
  git: ['git'],
  chromium: ['chromium', 'chromium-browser', 'google-chrome'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** `atpc doctor`. */
export async function runDoctor(terminal: Terminal): Promise<void> {
  const report = await doctorReport();
  if (terminal.json) {
    terminal.print(JSON.stringify(report, null, 2));
    return;
  }
  const { processor, memory, platform, webAssembly } = report;
  const yesNo = (value: boolean): string => (value ? 'yes' : 'no');
  const found = (values: Readonly<Record<string, string | null>>): [string, string][] =>
    Object.entries(values).map(([name, version]) => [name, version ?? 'not found']);
  const { bold } = terminal.colors.stdout;
  const limit = memory.limit === null ? '' : `, limited to ${formatBytes(memory.limit)}`;
  const sections: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
    [
      'Here',
      [
        ['atpc', report.atpc],
        ['node', `${report.node} (V8 ${report.v8})`],
        ['platform', `${platform.name} ${platform.architecture}, ${platform.release}`],
        ['processor', `${processor.model}, ${processor.count} cores, ${processor.available} of them for this process`],
        ['memory', `${formatBytes(memory.total)}, ${formatBytes(memory.free)} free${limit}`],
      ],
    ],
    [
      'WebAssembly',
      [
        ...Object.entries(webAssembly).map(([name, value]): [string, string] => [name, yesNo(value)]),
        ['SharedArrayBuffer', yesNo(report.sharedArrayBuffer)],
      ],
    ],
    ['WebGPU in Node', webGpuLines(report.webGpu)],
    ['CUDA in Node', cudaLines(report)],
    ['CUDA compilers', cudaCompilerLines(report.cudaCompilers)],
    ['Machine code', nativeLines(report.native)],
    ['Packages', found(report.packages)],
    ['Tools', found(report.tools)],
  ];
  terminal.print(sections.map(([title, pairs]) => `${bold(title)}\n${formatPairs(pairs)}`).join('\n\n'));
}

function webGpuLines({ package: version, adapter, why }: WebGpuReport): readonly (readonly [string, string])[] {
  const npm = ['npm package', version ?? 'not found'] as const;
  if (adapter === null) return [npm, ['adapter', `none: ${why ?? 'unknown'}`]];
  const { vendor, architecture, description, features, limits } = adapter;
  return [
    npm,
    ['adapter', [vendor, architecture, description].filter((word) => word !== '').join(', ')],
    ['features', features.join(', ') || 'none that kernels use'],
    ...Object.entries(limits).map(([name, value]) => [name, String(value)] as const),
  ];
}

function cudaLines({ cuda: { driver, devices, why }, packages }: DoctorReport): readonly (readonly [string, string])[] {
  const koffi = ['koffi', packages['koffi'] ?? 'not found'] as const;
  if (driver === null) return [koffi, ['driver', `none: ${why ?? 'unknown'}`]];
  const found = devices.map(({ name, computeCapability, memoryBytes, multiprocessors }, index): readonly [string, string] => [
    `device ${index}`,
    `${name}, compute capability ${computeCapability}, ${multiprocessors} multiprocessors, ${formatBytes(memoryBytes)}`,
  ]);
  return [
    koffi,
    ['driver', `for CUDA ${driver}`],
    ...(found.length > 0 ? found : [['devices', `none: ${why ?? 'unknown'}`] as const]),
  ];
}

async function doctorReport(): Promise<DoctorReport> {
  const processors = os.cpus();
  const limit = process.constrainedMemory();
  const tools = await Promise.all(
    Object.entries(toolCommands).map(async ([name, commands]) => [name, await firstVersion(commands)] as const),
  );
  return {
    atpc: compilerVersion(),
    node: process.version,
    v8: process.versions.v8,
    platform: { name: os.type(), architecture: process.arch, release: os.release() },
    processor: {
      model: processors[0]?.model.trim() ?? 'unknown',
      count: processors.length,
      available: os.availableParallelism(),
    },
    memory: {
      total: os.totalmem(),
      free: os.freemem(),
      limit: limit > 0 && limit < os.totalmem() ? limit : null,
    },
    webAssembly: {
      simd128: WebAssembly.validate(probes.simd128),
      'relaxed-simd': WebAssembly.validate(probes['relaxed-simd']),
      threads: WebAssembly.validate(probes.threads) && typeof SharedArrayBuffer === 'function',
    },
    sharedArrayBuffer: typeof SharedArrayBuffer === 'function',
    webGpu: await webGpuReport(),
    cuda: await cudaReport(),
    cudaCompilers: await cudaCompilersReport(),
    native: await nativeReport(),
    packages: Object.fromEntries(packageNames.map((name) => [name, packageVersion(name)])),
    tools: Object.fromEntries(tools),
  };
}

/** The version of an installed package, found as Node finds it; reading it loads nothing of it. */
function packageVersion(name: string): string | null {
  for (let folder = new URL('./', import.meta.url); ; folder = new URL('../', folder)) {
    const file = new URL(`node_modules/${name}/package.json`, folder);
    if (existsSync(file)) return (JSON.parse(readFileSync(file, 'utf8')) as { readonly version?: string }).version ?? null;
    if (folder.pathname === '/' || new URL('../', folder).href === folder.href) return null;
  }
}

async function firstVersion(commands: readonly string[]): Promise<string | null> {
  for (const command of commands) {
    const version = await new Promise<string | null>((resolve) => {
      // A shell finds npm.cmd on Windows; nothing of the user's is in the command line.
      const options = { timeout: 5000, shell: process.platform === 'win32' };
      execFile(command, ['--version'], options, (error, stdout) =>
        resolve(error ? null : (stdout.split('\n')[0]?.trim() ?? null)),
      );
    });
    if (version !== null) return version;
  }
  return null;
}
