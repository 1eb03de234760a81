/** The hand-written packages for WebGPU too: the same programs with slots, and their kernels in WGSL. */
import type { PackageParts, PackageTarget } from '../../compiler/package/write.ts';
import { writePackage } from '../../compiler/package/write.ts';
import { kernelHeader } from '../../compiler/codegen/wgsl/target.ts';
import type { Program } from '../../runtime/format/program.ts';
import { generatorParts, maxTokens, slowId } from './tiny-generator.ts';
import { tinyParts } from './tiny-package.ts';
import { generatorSlotProgram, tinySlotProgram } from './tiny-slots.ts';

type Binding = readonly [name: string, type: 'f32' | 'i32' | 'u32', access: 'read' | 'read_write'];
function kernel(name: string, sizes: readonly string[], bindings: readonly Binding[], body: string): string {
  return `${kernelHeader(name)}
struct Sizes { ${['items', ...sizes].map((size) => `${size}: i32`).join(', ')} }
@group(0) @binding(0) var<uniform> sizes: Sizes;
${bindings.map(([variable, type, access], index) => `@group(0) @binding(${index + 1}) var<storage, ${access}> ${variable}: array<${type}>;`).join('\n')}
@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let item = i32(group.x + group.y * groups.x);
  if (item >= sizes.items) { return; }
${body}
}
`;
}
/** Counts in a way that no compiler takes out; `odd` is true for next to no number of rounds. */
const count = (rounds: string): string => `
  var x = u32(item);
  for (var left = ${rounds}; left > 0; left--) { x = x * 1664525u + 1013904223u; }
  let odd = select(0, 1, x == 3u);`;

export const tinyWgsl = [
  kernel(
    'spin',
    ['rounds_at', 'trap_at', 'spun_at'],
    [
      ['inputs', 'i32', 'read'],
      ['spun', 'i32', 'read_write'],
    ],
    `
  let rounds = inputs[sizes.rounds_at];${count('rounds')}
  spun[sizes.spun_at + item] = rounds + odd;`,
  ),
  kernel(
    'sum_rows',
    ['ids_at', 'mask_at', 'table_at', 'result_at', 'seq', 'width'],
    [
      ['inputs', 'i32', 'read'],
      ['table', 'f32', 'read'],
      ['result', 'f32', 'read_write'],
    ],
    `
  for (var column = 0; column < sizes.width; column++) {
    var sum = 0.0;
    for (var token = 0; token < sizes.seq; token++) {
      let id = inputs[sizes.ids_at + token];
      sum += f32(inputs[sizes.mask_at + token]) * table[sizes.table_at + id * sizes.width + column];
    }
    result[sizes.result_at + column] = sum;
  }`,
  ),
  kernel(
    'product',
    ['left_at', 'right_at', 'result_at', 'n', 'k'],
    [
      ['left', 'f32', 'read'],
      ['right', 'f32', 'read'],
      ['result', 'f32', 'read_write'],
    ],
    `
  for (var column = 0; column < sizes.n; column++) {
    var sum = 0.0;
    for (var at = 0; at < sizes.k; at++) {
      sum += left[sizes.left_at + item * sizes.k + at] * right[sizes.right_at + column * sizes.k + at];
    }
    result[sizes.result_at + item * sizes.n + column] = sum;
  }`,
  ),
].join('\n');

/** A target of a package, with a build for any device and one that asks for subgroups; the second computes the same. */
function webgpuTargetOf(program: Program, text: string, stateBytes: number): PackageTarget {
  const total = Object.values(program.arenas).reduce((sum, bytes) => ['+', sum, bytes] as const, 64 as Program['arenas']['io']);
  return {
    name: 'webgpu',
    program,
    memory: { ...program.arenas, total },
    stateBytes,
    files: [
      { path: 'kernels.wgsl', content: text, features: [] },
      {
        path: 'kernels-subgroups.wgsl',
        content: text.replaceAll(/^struct/gm, 'enable subgroups;\nstruct'),
        features: ['subgroups'],
      },
    ],
  };
}

export interface TinyWebGpuChanges {
  readonly program?: Partial<Program>;
  readonly text?: string;
  readonly parts?: Partial<PackageParts>;
  /** Only these builds, by their features. */
  readonly builds?: readonly string[];
}
export async function writeTinyWebGpu(folder: string, changes: TinyWebGpuChanges = {}): ReturnType<typeof writePackage> {
  const parts = await tinyParts(changes.parts);
  const target = webgpuTargetOf({ ...tinySlotProgram, ...changes.program }, changes.text ?? tinyWgsl, 0);
  return writePackage(folder, { ...parts, targets: [...parts.targets, onlyBuilds(target, changes.builds)] });
}
function onlyBuilds(target: PackageTarget, builds: readonly string[] | undefined): PackageTarget {
  return { ...target, files: target.files.filter(({ features }) => builds === undefined || builds.includes(String(features))) };
}

export const generatorWgsl = [
  kernel(
    'read',
    ['ids_at', 'positions_at', 'state_at', 'hashes_at', 'stride', 'seq'],
    [
      ['inputs', 'i32', 'read'],
      ['state', 'u32', 'read_write'],
      ['hashes', 'u32', 'read_write'],
    ],
    `
  for (var at = 0; at < sizes.seq; at++) {
    let position = inputs[sizes.positions_at + at];
    var hash = 7u;
    if (position > 0) { hash = state[sizes.state_at + sizes.stride * (position - 1)]; }
    hash = hash * 31u + u32(inputs[sizes.ids_at + at]);
    state[sizes.state_at + sizes.stride * position] = hash;
    hashes[sizes.hashes_at + at] = hash;
  }`,
  ),
  kernel(
    'wait',
    ['ids_at', 'sink_at', 'rounds', 'seq'],
    [
      ['inputs', 'i32', 'read'],
      ['sink', 'i32', 'read_write'],
    ],
    `
  var rounds = 0;
  for (var at = 0; at < sizes.seq; at++) { if (inputs[sizes.ids_at + at] == ${slowId}) { rounds = sizes.rounds; } }${count('rounds')}
  sink[sizes.sink_at + item] = odd;`,
  ),
  kernel(
    'logits',
    ['hashes_at', 'steps_at', 'result_at', 'size'],
    [
      ['hashes', 'u32', 'read'],
      ['steps', 'f32', 'read'],
      ['result', 'f32', 'read_write'],
    ],
    `
  for (var token = 0; token < sizes.size; token++) {
    let sum = hashes[sizes.hashes_at + item] + u32(steps[sizes.steps_at + token]);
    result[sizes.result_at + item * sizes.size + token] = -0.25 * f32(sum % u32(sizes.size));
  }`,
  ),
].join('\n');

export async function writeGeneratorWebGpu(
  folder: string,
  rewinds: boolean,
  changes: TinyWebGpuChanges & { readonly rounds?: number } = {},
): ReturnType<typeof writePackage> {
  const parts = await generatorParts(rewinds, changes.parts);
  const program = { ...generatorSlotProgram(rewinds, changes.rounds), ...changes.program };
  const target = webgpuTargetOf(program, changes.text ?? generatorWgsl, 4 * maxTokens);
  return writePackage(folder, { ...parts, targets: [...parts.targets, onlyBuilds(target, changes.builds)] });
}
