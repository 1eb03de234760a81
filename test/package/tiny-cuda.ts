/** The hand-written packages for CUDA too: the same programs with slots, and their kernels in CUDA C++, compiled by both NVRTCs. */
import { compilePtx } from '../../compiler/codegen/cuda/compile-ptx.ts';
import { intrinsics } from '../../compiler/codegen/cuda/intrinsics.ts';
import type { PackageParts, PackageTarget } from '../../compiler/package/write.ts';
import { writePackage } from '../../compiler/package/write.ts';
import type { Program } from '../../runtime/format/program.ts';
import '../cuda-compilers.ts';
import { simulateModules } from '../cuda-device.ts';
import { generatorParts, maxTokens, slowId } from './tiny-generator.ts';
import { tinyParts } from './tiny-package.ts';
import { generatorSlotProgram, tinySlotProgram } from './tiny-slots.ts';

type Binding = readonly [name: string, type: 'f32' | 'i32' | 'u32', access: 'read' | 'write'];
/** One thread of a warp does all the work of an item. */
function kernel(name: string, sizes: readonly string[], bindings: readonly Binding[], body: string): string {
  const parameters = [
    `const ${name}_sizes *__restrict__ sizes`,
    ...bindings.map(([variable, type, access]) => `${access === 'read' ? 'const ' : ''}${type} *__restrict__ ${variable}`),
  ];
  return `// === kernel ${name} ===
struct ${name}_sizes { ${['items', ...sizes].map((size) => `i32 ${size};`).join(' ')} };
extern "C" __global__ void __launch_bounds__(32) ${name}(${parameters.join(', ')}) {
  const i32 item = blockIdx.x;
  if (item >= sizes->items || threadIdx.x > 0) return;
${body}
}
`;
}
/** Counts in a way that no compiler takes out; `odd` is 1 for next to no number of rounds. */
const count = (rounds: string): string => `
  u32 x = (u32)item;
  for (i32 left = ${rounds}; left > 0; left--) x = x * 1664525u + 1013904223u;
  const i32 odd = x == 3u ? 1 : 0;`;

export const tinyCuda = [
  intrinsics,
  kernel(
    'spin',
    ['rounds_at', 'trap_at', 'spun_at'],
    [
      ['inputs', 'i32', 'read'],
      ['spun', 'i32', 'write'],
    ],
    `
  // Nothing lies there.
  if (inputs[sizes->trap_at] != 0) *(volatile i32 *)64 = 1;
  const i32 rounds = inputs[sizes->rounds_at];${count('rounds')}
  spun[sizes->spun_at + item] = rounds + odd;`,
  ),
  kernel(
    'sum_rows',
    ['ids_at', 'mask_at', 'table_at', 'result_at', 'seq', 'width'],
    [
      ['inputs', 'i32', 'read'],
      ['table', 'f32', 'read'],
      ['result', 'f32', 'write'],
    ],
    `
  for (i32 column = 0; column < sizes->width; column++) {
    f32 sum = 0.0f;
    for (i32 token = 0; token < sizes->seq; token++) {
      const i32 id = inputs[sizes->ids_at + token];
      sum += f32(inputs[sizes->mask_at + token]) * table[sizes->table_at + id * sizes->width + column];
    }
    result[sizes->result_at + column] = sum;
  }`,
  ),
  kernel(
    'product',
    ['left_at', 'right_at', 'result_at', 'n', 'k'],
    [
      ['left', 'f32', 'read'],
      ['right', 'f32', 'read'],
      ['result', 'f32', 'write'],
    ],
    `
  for (i32 column = 0; column < sizes->n; column++) {
    f32 sum = 0.0f;
    for (i32 at = 0; at < sizes->k; at++)
      sum += left[sizes->left_at + item * sizes->k + at] * right[sizes->right_at + column * sizes->k + at];
    result[sizes->result_at + item * sizes->n + column] = sum;
  }`,
  ),
].join('\n');

export const generatorCuda = [
  intrinsics,
  kernel(
    'read',
    ['ids_at', 'positions_at', 'state_at', 'hashes_at', 'stride', 'seq'],
    [
      ['inputs', 'i32', 'read'],
      ['state', 'u32', 'write'],
      ['hashes', 'u32', 'write'],
    ],
    `
  for (i32 at = 0; at < sizes->seq; at++) {
    const i32 position = inputs[sizes->positions_at + at];
    u32 hash = 7u;
    if (position > 0) hash = state[sizes->state_at + sizes->stride * (position - 1)];
    hash = hash * 31u + (u32)inputs[sizes->ids_at + at];
    state[sizes->state_at + sizes->stride * position] = hash;
    hashes[sizes->hashes_at + at] = hash;
  }`,
  ),
  kernel(
    'wait',
    ['ids_at', 'sink_at', 'rounds', 'seq'],
    [
      ['inputs', 'i32', 'read'],
      ['sink', 'i32', 'write'],
    ],
    `
  i32 rounds = 0;
  for (i32 at = 0; at < sizes->seq; at++) if (inputs[sizes->ids_at + at] == ${slowId}) rounds = sizes->rounds;${count('rounds')}
  sink[sizes->sink_at + item] = odd;`,
  ),
  kernel(
    'logits',
    ['hashes_at', 'steps_at', 'result_at', 'size'],
    [
      ['hashes', 'u32', 'read'],
      ['steps', 'f32', 'read'],
      ['result', 'f32', 'write'],
    ],
    `
  for (i32 token = 0; token < sizes->size; token++) {
    const u32 sum = hashes[sizes->hashes_at + item] + (u32)steps[sizes->steps_at + token];
    result[sizes->result_at + item * sizes->size + token] = -0.25f * f32(sum % (u32)sizes->size);
  }`,
  ),
].join('\n');

/** A target of a package, with PTX for drivers of two versions of CUDA; on the simulated device both run the same code. */
async function cudaTargetOf(program: Program, text: string, stateBytes: number): Promise<PackageTarget> {
  const { files } = await compilePtx(text);
  await simulateModules(
    text,
    files.map(({ content }) => String(content)),
  );
  const total = Object.values(program.arenas).reduce((sum, bytes) => ['+', sum, bytes] as const, 64 as Program['arenas']['io']);
  return {
    name: 'cuda',
    program,
    memory: { ...program.arenas, total },
    stateBytes,
    files: [{ path: 'kernels.cu', content: text }, ...files],
  };
}

export interface TinyCudaChanges {
  readonly program?: Partial<Program>;
  readonly text?: string;
  readonly parts?: Partial<PackageParts>;
  /** Of the target, once it is made. */
  readonly target?: (target: PackageTarget) => PackageTarget;
}
const unchanged = (target: PackageTarget): PackageTarget => target;
export async function writeTinyCuda(
  folder: string,
  { program, text = tinyCuda, parts: changes, target = unchanged }: TinyCudaChanges = {},
): ReturnType<typeof writePackage> {
  const parts = await tinyParts(changes);
  const cuda = target(await cudaTargetOf({ ...tinySlotProgram, ...program }, text, 0));
  return writePackage(folder, { ...parts, targets: [...parts.targets, cuda] });
}
export async function writeGeneratorCuda(
  folder: string,
  rewinds: boolean,
  {
    program,
    text = generatorCuda,
    parts: changes,
    target = unchanged,
    rounds,
  }: TinyCudaChanges & { readonly rounds?: number } = {},
): ReturnType<typeof writePackage> {
  const parts = await generatorParts(rewinds, changes);
  const cuda = target(await cudaTargetOf({ ...generatorSlotProgram(rewinds, rounds), ...program }, text, 4 * maxTokens));
  return writePackage(folder, { ...parts, targets: [...parts.targets, cuda] });
}
