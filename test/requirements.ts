/**
 * What a test may need beyond `npm ci`, and how it skips without it: with the reason printed, and as a failure where
 * ATPC_REQUIRE (a comma-separated list of the names below) says that the machine has it.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const requirements = {
  shared: 'the shared data of the project: the folder named by ATPC_SHARED, or else ../shared beside the checkout',
  minilm: 'all-MiniLM-L6-v2 in .cache/models: npm run fetch-models',
  smollm2: 'SmolLM2-135M-Instruct in .cache/models: npm run fetch-models',
  linux: 'Linux, for a device on which every write fails (/dev/full)',
  npm: 'the npm command, to pack and install packages',
  node24: 'Node 24 or later',
  browser: 'a Chromium: apt-get install chromium',
  cuda: 'g++ on Linux, to build the simulated CUDA device, with koffi (npm ci) and the NVRTCs of .cache/cuda and .cache/cuda12',
  'cuda-hw': 'a GPU with its CUDA driver, where ATPC_REQUIRE lists it: nothing is simulated then',
  webgpu: 'a WebGPU adapter: apt-get install chromium libvulkan1, for its software Vulkan driver',
  naga: 'naga 30 or later: cargo install --locked naga-cli --root .cache/naga',
  'cuda-compiler': 'NVRTC of CUDA 13.0 and 12.4 in .cache, as .ci/run installs them with pip, and the npm package koffi',
  native: 'a C compiler (apt-get install gcc libc6-dev) for the processor and system of this Node, and the npm package koffi',
  time: 'minutes, on a device in software: ATPC_REQUIRE=time runs it',
  vnni: 'a processor with VNNI of AVX-512, VNNI of AVX or dot products of ARM, whichever the test is of, and what native needs',
  'relaxed-simd': 'an engine with relaxed SIMD, such as Node 24',
} as const;
export type Requirement = keyof typeof requirements;

/** The folder of the shared data, whether it is there or not. */
export const sharedFolder: string = process.env['ATPC_SHARED'] ?? fileURLToPath(new URL('../../shared', import.meta.url));
/** The folder into which `npm run fetch-models` puts the models, whether it is there or not. */
export const modelsFolder: string = fileURLToPath(new URL('../.cache/models', import.meta.url));
export const minilmFolder: string = path.join(modelsFolder, 'all-MiniLM-L6-v2');
export const smollm2File: string = path.join(modelsFolder, 'SmolLM2-135M-Instruct/SmolLM2-135M-Instruct.Q4_1.gguf');

/**
 * Skips the running test (in a `before` hook: the suite) unless `condition` holds; fails it instead if ATPC_REQUIRE lists
 * the requirement. Usage: `before(function () { requires(this, 'minilm', existsSync(minilmFolder)); })`.
 */
export function requires(context: Mocha.Context, name: Requirement, condition: boolean, reason?: string): void {
  if (condition) return;
  const sentence = reason ?? `needs ${requirements[name]}`;
  if (requiredNames().has(name)) throw new Error(`ATPC_REQUIRE lists '${name}', and it is not there: ${sentence}`);
  skipBecause(context, sentence);
}
/** Skips the running test, or in a `before` hook the suite, with a sentence that is printed. */
export function skipBecause(context: Mocha.Context, sentence: string): void {
  const runnable = context.runnable();
  // A hook speaks for its whole suite.
  skipReasons().set('type' in runnable && runnable.type === 'hook' ? (runnable.parent ?? runnable) : runnable, sentence);
  context.skip();
}

/** Skips what takes minutes on a device in software, unless ATPC_REQUIRE lists `time`. */
export function requiresTime(context: Mocha.Context): void {
  requires(context, 'time', requiredNames().has('time'));
}

/** The names in ATPC_REQUIRE. A name that is not in the table is an error: a misspelt one would let tests skip unseen. */
export function requiredNames(): ReadonlySet<string> {
  const names = (process.env['ATPC_REQUIRE'] ?? '').split(',').filter((name) => name !== '');
  const unknown = names.find((name) => !Object.hasOwn(requirements, name));
  if (unknown !== undefined) {
    throw new Error(`ATPC_REQUIRE names '${unknown}', which is none of ${Object.keys(requirements).join(', ')}.`);
  }
  return new Set(names);
}

/** Why a test or suite was skipped, by its object. Global, since mocha loads the reporter as another instance of its modules. */
export function skipReasons(): WeakMap<object, string> {
  const registry = globalThis as { [skipReasonsKey]?: WeakMap<object, string> };
  return (registry[skipReasonsKey] ??= new WeakMap<object, string>());
}
const skipReasonsKey: unique symbol = Symbol.for('atpc.skipReasons');
