/** The code of a package for its targets: what index.js knows of them, and what its worker runs. None of other targets is in its bundles. */
import type { TargetName } from '../../runtime/format/manifest.ts';

interface TargetModules {
  /** File below runtime/backends, and what it exports. */
  readonly use: readonly [file: string, name: string];
  readonly kind: readonly [file: string, name: string];
}
const modules: { readonly [K in TargetName]: TargetModules } = {
  wasm: { use: ['wasm/use-wasm', 'useWasm'], kind: ['wasm/worker-executor', 'wasmKind'] },
  webgpu: { use: ['webgpu/use-webgpu', 'useWebgpu'], kind: ['webgpu/worker-executor', 'webgpuKind'] },
  cuda: { use: ['cuda/use-cuda', 'useCuda'], kind: ['cuda/worker-executor', 'cudaKind'] },
  native: { use: ['native/use-native', 'useNative'], kind: ['native/worker-executor', 'nativeKind'] },
};

const importOf = ([file, name]: readonly [string, string], extension: string): string =>
  `import { ${name} } from ${JSON.stringify(`./backends/${file}${extension}`)};`;
const tableOf = (targets: readonly TargetName[], part: keyof TargetModules): string =>
  `{ ${targets.map((target) => `${target}: ${modules[target][part][1]}`).join(', ')} }`;

/** Text of the module `atpc:targets`, as it would lie in runtime/: a TargetSupport. `extension` is that of the runtime's files. */
export function targetSupportText(targets: readonly TargetName[], extension: string): string {
  const choose: readonly [string, string] = ['choose-target', 'chooseTarget'];
  const chooses = targets.length > 1;
  return [
    ...targets.map((target) => importOf(modules[target].use, extension)),
    ...(chooses ? [importOf(choose, extension)] : []),
    `export const targetSupport = { uses: ${tableOf(targets, 'use')}, chooseTarget${chooses ? '' : ': null'} };`,
  ].join('\n');
}
/** Text of what worker.js is bundled from, likewise. */
export function workerText(targets: readonly TargetName[], extension: string): string {
  return [
    ...targets.map((target) => importOf(modules[target].kind, extension)),
    `import { serveParent } from './entry/worker-serve${extension}';`,
    `serveParent(${tableOf(targets, 'kind')});`,
  ].join('\n');
}
