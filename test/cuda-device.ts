/**
 * CUDA in Node for tests: a simulated driver (test/cuda-sim), built here with g++, that runs the same kernels.cu on the CPU which NVRTC
 * compiles for a GPU. With `cuda-hw` in ATPC_REQUIRE it is the machine's own driver and GPU, and nothing is simulated.
 */
import { execFile, spawnSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cudaCompilersAreThere, koffiFile } from './cuda-compilers.ts';
import { requiredNames } from './requirements.ts';

const sourceFolder = fileURLToPath(new URL('cuda-sim/', import.meta.url));
const cacheFolder = fileURLToPath(new URL('../.cache/cuda-sim/', import.meta.url));

/** Whether tests run on a GPU. */
export const onHardware: boolean = requiredNames().has('cuda-hw');

const run = promisify(execFile);
const sha256 = (...parts: readonly (string | Uint8Array)[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(String(part.length)).update('\n').update(part);
  return hash.digest('hex');
};

let compiler: string | null | undefined;
/** What g++ says of itself, or null where there is none. */
function compilerVersion(): string | null {
  if (compiler === undefined) {
    const { status, stdout } = spawnSync('g++', ['--version'], { encoding: 'utf8' });
    compiler = process.platform === 'linux' && status === 0 ? stdout : null;
  }
  return compiler;
}

/**
 * Whether kernels can be compiled and run: with NVRTC and koffi, and g++ for the simulated device. Where ATPC_REQUIRE lists `cuda-hw` a GPU
 * is taken to be there, and tests fail without it.
 */
export function cudaIsThere(): boolean {
  return cudaCompilersAreThere() && (onHardware || simulationIsThere());
}
/** Whether the simulated driver can be built and called. */
export function simulationIsThere(): boolean {
  return compilerVersion() !== null && koffiFile() !== undefined;
}

/** Makes `file` by `make`, which writes to the path that it is given, unless it is there. Two processes may make the same file. */
async function once(file: string, make: (temporary: string) => Promise<void>): Promise<string> {
  if (existsSync(file)) return file;
  mkdirSync(path.dirname(file), { recursive: true });
  const temporary = `${file}.${randomUUID()}`;
  try {
    await make(temporary);
    renameSync(temporary, file);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return file;
}
const pending = new Map<string, Promise<string>>();
function onceInProcess(file: string, make: (temporary: string) => Promise<void>): Promise<string> {
  let made = pending.get(file);
  if (made === undefined) {
    made = once(file, make);
    pending.set(file, made);
    made.catch(() => pending.delete(file));
  }
  return made;
}

// The machine's own instructions: halves are converted and multiply-adds fused in hardware.
const machine = `${process.arch} ${cpus()[0]?.model ?? ''}`;
const forThisMachine = process.arch === 'x64' ? '-march=native' : '-mcpu=native';
const sourceNames = (ending: RegExp): readonly string[] =>
  readdirSync(sourceFolder)
    .filter((name) => ending.test(name))
    .sort();
const sourcesOf = (names: readonly string[]): readonly string[] =>
  names.flatMap((name) => [name, readFileSync(path.join(sourceFolder, name), 'utf8')]);

const driverFlags = ['-std=c++20', '-O2', '-fPIC', '-pthread', '-Wall', '-Wextra', '-fvisibility=hidden', '-U_FORTIFY_SOURCE'];
// Its threads run until the process ends: a driver that is loaded stays.
const driverLinkFlags = ['-shared', '-pthread', '-Wl,-z,nodelete', '-ldl'];

/**
 * The simulated driver: a libcuda.so, built if it is not in .cache/cuda-sim. It reads ATPC_CUDA_SIM_* in the environment at each cuInit
 * (test/cuda-sim/README.md). `without` names functions that it shall not have, as an older driver.
 */
export async function simulatedDriver({ without = [] }: { readonly without?: readonly string[] } = {}): Promise<string> {
  const names = sourceNames(/\.(cpp|h)$/).filter((name) => !name.startsWith('simulated-'));
  const headers = sourcesOf(names.filter((name) => name.endsWith('.h')));
  const objects = await Promise.all(
    names
      .filter((name) => name.endsWith('.cpp'))
      .map((name) => {
        const key = sha256(compilerVersion() ?? '', process.arch, ...driverFlags, ...headers, ...sourcesOf([name]));
        return onceInProcess(path.join(cacheFolder, 'objects', `${key.slice(0, 40)}.o`), async (temporary) => {
          await run('g++', [...driverFlags, '-c', path.join(sourceFolder, name), '-o', temporary]);
        });
      }),
  );
  const missing = [...without].sort();
  const key = sha256(...driverLinkFlags, ...objects.map((file) => path.basename(file)), ...missing).slice(0, 40);
  return onceInProcess(path.join(cacheFolder, 'drivers', key, 'libcuda.so.1'), async (temporary) => {
    const script = `${temporary}.map`;
    writeFileSync(script, `{ global: cu*; local: ${[...missing, '*'].map((name) => `${name};`).join(' ')} };\n`);
    try {
      await run('g++', [...objects, ...driverLinkFlags, `-Wl,--version-script=${script}`, '-o', temporary]);
    } finally {
      rmSync(script);
    }
  });
}

// No contraction: what is fused is what a kernel fuses itself. Kernels read words as other types, as NVRTC lets them.
const moduleFlags = [
  // With line numbers, for the sentences of errors.
  ...['-std=c++20', '-O2', '-g1', '-fPIC', '-w', '-DATPC_SIMULATED_DEVICE', '-ffp-contract=off', '-fno-math-errno'],
  ...['-fno-strict-aliasing', '-fno-exceptions', '-fno-rtti', '-U_FORTIFY_SOURCE', forThisMachine],
  // GCC 12.2 makes one load of two rounds of a loop with a stride, of which the second is beyond the end of a row of the last.
  '-fno-tree-loop-vectorize',
  // Each page of a frame is touched, so that a thread which needs too much stack comes upon the page that ends it.
  '-fstack-clash-protection',
];
const moduleLinkFlags = ['-shared', '-Wl,-Bsymbolic'];

/** Tells the driver of each access to memory (simulated-checks.h), and stops where an index is beyond an array. */
const checkedFlags = ['-fsanitize=thread', '-fsanitize=bounds', '-fsanitize-undefined-trap-on-error'];
/** For a whole run of tests: slower, and finds accesses out of bounds and races of shared memory. */
const alwaysChecked = process.env['ATPC_CUDA_SIM_CHECKED'] === '1';

export interface SimulationOptions {
  /** Modules that find accesses out of bounds and races of shared memory (test/cuda-sim/README.md); several times slower. */
  readonly checked?: boolean;
}
const modulesFolderOf = (checked: boolean): string => path.join(cacheFolder, checked ? 'checked-modules' : 'modules');

/**
 * Compiles a kernels.cu for the CPU, and lets the simulated driver find it for the PTX texts that NVRTC made of it. Where tests run on a
 * GPU it does nothing. What was made before is taken from .cache/cuda-sim.
 */
export async function simulateModules(
  cuText: string,
  ptxTexts: readonly string[],
  { checked = alwaysChecked }: SimulationOptions = {},
): Promise<void> {
  if (onHardware) return;
  const headers = sourceNames(/^(simulated-.*|module-interface)\.h$/);
  const flags = [...moduleFlags, ...(checked ? checkedFlags : [])];
  const key = sha256(compilerVersion() ?? '', machine, ...flags, ...moduleLinkFlags, ...sourcesOf(headers), cuText);
  const built = await onceInProcess(path.join(cacheFolder, 'builds', `${key.slice(0, 40)}.so`), async (temporary) => {
    const object = `${temporary}.o`;
    // It stays: errors name its lines.
    const source = await onceInProcess(path.join(cacheFolder, 'builds', `${key.slice(0, 40)}.cu`), async (file) => {
      writeFileSync(file, cuText);
    });
    try {
      const inputs = ['-include', path.join(sourceFolder, 'simulated-device.h'), '-x', 'c++', '-c', source];
      await run('g++', [...flags, ...inputs, '-o', object]);
      // Without the flags of a checked build, which would link the libraries of the sanitizer.
      await run('g++', [...moduleLinkFlags, object, '-o', temporary, '-lm']);
    } finally {
      rmSync(object, { force: true });
    }
  });
  const folder = modulesFolderOf(checked);
  mkdirSync(folder, { recursive: true });
  for (const text of ptxTexts) {
    const name = createHash('sha256').update(text.replace(/\0+$/, '')).digest('hex');
    // Another kernels.cu, or another version of the headers, may have given the same PTX. Whoever loads it resolves the link.
    const temporary = path.join(folder, `${name}.${randomUUID()}`);
    symlinkSync(built, temporary);
    renameSync(temporary, path.join(folder, `${name}.so`));
  }
}

/** For processes that tests start, and for this one: which driver they load, and where that finds its modules. */
export async function cudaEnvironment({ checked = alwaysChecked }: SimulationOptions = {}): Promise<
  Readonly<Record<string, string>>
> {
  if (onHardware) return {};
  return { ATPC_CUDA_DRIVER: await simulatedDriver(), ATPC_CUDA_SIM_MODULES: modulesFolderOf(checked) };
}
