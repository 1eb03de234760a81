/**
 * A package written by hand: three kernels in WAT, two small tensors, a tokenizer of ten words. Its outputs can be worked
 * out on paper, and it can be told to take long or to trap.
 *
 *     sums[b, :] = sum over t of mask[b, t] * table[ids[b, t], :]      logits = sums x weight^T (in panels of 4)
 *     spun[i] = rounds, written after `rounds` rounds of counting, for 64 items
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { assembleForms } from '../../compiler/codegen/wasm/assemble.ts';
import { loadPackage } from '../../compiler/package/load-package.ts';
import { writePackage, type PackageParts, type PackageTarget } from '../../compiler/package/write.ts';
import { memorySource } from '../../compiler/weights/tensor-source.ts';
import { weightFrom, writeWeights } from '../../compiler/weights/write.ts';
import type { LoadOptions, Model } from '../../runtime/api.ts';
import { outputPorts } from '../../compiler/manifest-parts.ts';
import type { Program, ProgramBuffer } from '../../runtime/format/program.ts';

export const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'good', 'bad', 'film', 'a', '##s', '.'];
export const width = 4;
export const table = Float32Array.from({ length: words.length * width }, (_, at) => (at % 7) - 3);
export const labels = ['negative', 'neutral', 'positive'];
export const weight = Float32Array.from({ length: labels.length * width }, (_, at) => ((at * 5) % 9) / 4 - 1);

export const kernels = `(module
  (import "atpc" "memory" (memory $memory 1))
  (func (export "sum_rows")
    (param $begin i32) (param $end i32) (param $scratch i32)
    (param $ids i32) (param $mask i32) (param $table i32) (param $result i32) (param $seq i32) (param $width i32)
    (local $column i32) (local $token i32) (local $at i32) (local $sum f32)
    (block $done (loop $rows
      (br_if $done (i32.ge_s (local.get $begin) (local.get $end)))
      (local.set $column (i32.const 0))
      (loop $columns
        (local.set $sum (f32.const 0))
        (local.set $token (i32.const 0))
        (loop $tokens
          (local.set $at (i32.shl (i32.add (i32.mul (local.get $begin) (local.get $seq)) (local.get $token)) (i32.const 2)))
          (local.set $sum (f32.add (local.get $sum) (f32.mul
            (f32.convert_i32_s (i32.load (i32.add (local.get $mask) (local.get $at))))
            (f32.load (i32.add (local.get $table) (i32.shl (i32.add
              (i32.mul (i32.load (i32.add (local.get $ids) (local.get $at))) (local.get $width)) (local.get $column)) (i32.const 2)))))))
          (local.set $token (i32.add (local.get $token) (i32.const 1)))
          (br_if $tokens (i32.lt_s (local.get $token) (local.get $seq))))
        (f32.store (i32.add (local.get $result) (i32.shl (i32.add
          (i32.mul (local.get $begin) (local.get $width)) (local.get $column)) (i32.const 2))) (local.get $sum))
        (local.set $column (i32.add (local.get $column) (i32.const 1)))
        (br_if $columns (i32.lt_s (local.get $column) (local.get $width))))
      (local.set $begin (i32.add (local.get $begin) (i32.const 1)))
      (br $rows))))
  (func (export "product")
    (param $begin i32) (param $end i32) (param $scratch i32)
    (param $left i32) (param $right i32) (param $result i32) (param $n i32) (param $k i32)
    (local $row i32) (local $column i32) (local $at i32) (local $sum f32)
    (local.set $row (local.get $begin))
    (block $done (loop $rows
      (br_if $done (i32.ge_s (local.get $row) (local.get $end)))
      (local.set $column (i32.const 0))
      (loop $columns
        (local.set $sum (f32.const 0))
        (local.set $at (i32.const 0))
        (loop $sums
          (local.set $sum (f32.add (local.get $sum) (f32.mul
            (f32.load (i32.add (local.get $left) (i32.shl (i32.add (i32.mul (local.get $row) (local.get $k)) (local.get $at)) (i32.const 2))))
            (f32.load (i32.add (local.get $right) (i32.shl (i32.add (i32.mul (i32.add (i32.mul
              (i32.shr_u (local.get $column) (i32.const 2)) (local.get $k)) (local.get $at)) (i32.const 4))
              (i32.and (local.get $column) (i32.const 3))) (i32.const 2)))))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br_if $sums (i32.lt_s (local.get $at) (local.get $k))))
        (f32.store (i32.add (local.get $result) (i32.shl (i32.add
          (i32.mul (local.get $row) (local.get $n)) (local.get $column)) (i32.const 2))) (local.get $sum))
        (local.set $column (i32.add (local.get $column) (i32.const 1)))
        (br_if $columns (i32.lt_s (local.get $column) (local.get $n))))
      (local.set $row (i32.add (local.get $row) (i32.const 1)))
      (br $rows))))
  (func (export "spin")
    (param $begin i32) (param $end i32) (param $scratch i32)
    (param $rounds i32) (param $trap i32) (param $result i32)
    (local $left i32)
    (if (i32.load (local.get $trap)) (then (unreachable)))
    (block $done (loop $items
      (br_if $done (i32.ge_s (local.get $begin) (local.get $end)))
      (local.set $left (i32.load (local.get $rounds)))
      (block $counted (loop $count
        (br_if $counted (i32.le_s (local.get $left) (i32.const 0)))
        (i32.store (local.get $scratch) (local.get $left))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $count)))
      (i32.store (i32.add (local.get $result) (i32.shl (local.get $begin) (i32.const 2))) (i32.load (local.get $rounds)))
      (local.set $begin (i32.add (local.get $begin) (i32.const 1)))
      (br $items))))
)`;

const buffer = (
  name: string,
  kind: ProgramBuffer['class'],
  fields: Pick<ProgramBuffer, 'offset' | 'bytes'> & Partial<ProgramBuffer>,
): ProgramBuffer => ({
  name,
  class: kind,
  elementType: 'f32',
  firstStep: 0,
  lastStep: 3,
  ...fields,
});
const padded = (bytes: Program['arenas']['io']): Program['arenas']['io'] => ['*', 64, ['ceil/', bytes, 64]];
const tokens: Program['arenas']['io'] = padded(['*', 4, ['*', 'batch', 'seq']]);
const sumBytes: Program['arenas']['io'] = padded(['*', 4 * width, 'batch']);
const logitBytes: Program['arenas']['io'] = padded(['*', 4 * labels.length, 'batch']);

export const program: Program = {
  formatVersion: 1,
  name: 'tiny',
  dims: [
    { name: 'batch', min: 1, max: 8 },
    { name: 'seq', min: 1, max: 4096 },
  ],
  buffers: [
    buffer('table', 'weights', { offset: 0, bytes: 192 }),
    buffer('weight', 'weights', { offset: 192, bytes: 64 }),
    buffer('input_ids', 'io', { offset: 0, bytes: tokens, elementType: 'i32' }),
    buffer('attention_mask', 'io', { offset: tokens, bytes: tokens, elementType: 'i32' }),
    buffer('rounds', 'io', { offset: ['+', tokens, tokens], bytes: 64, elementType: 'i32' }),
    buffer('trap', 'io', { offset: ['+', 64, ['+', tokens, tokens]], bytes: 64, elementType: 'bool' }),
    buffer('spun', 'io', { offset: ['+', 128, ['+', tokens, tokens]], bytes: 256, elementType: 'i32' }),
    buffer('logits', 'io', { offset: ['+', 384, ['+', tokens, tokens]], bytes: logitBytes }),
    buffer('sums', 'workspace', { offset: 0, bytes: sumBytes }),
  ],
  arenas: {
    weights: 256,
    io: ['+', logitBytes, ['+', 384, ['+', tokens, tokens]]],
    state: 0,
    workspace: sumBytes,
    scratch: 64,
  },
  weights: [
    { tensor: 'table', buffer: 0, shape: [words.length, width], packing: { kind: 'rows' } },
    { tensor: 'weight', buffer: 1, shape: [labels.length, width], packing: { kind: 'panels', width: 4 } },
  ],
  entryPoints: {
    forward: {
      inputs: [
        { name: 'input_ids', buffer: 2, elementType: 'i32', shape: ['batch', 'seq'] },
        { name: 'attention_mask', buffer: 3, elementType: 'i32', shape: ['batch', 'seq'] },
        { name: 'rounds', buffer: 4, elementType: 'i32', shape: [] },
        { name: 'trap', buffer: 5, elementType: 'bool', shape: [] },
      ],
      outputs: [
        { name: 'logits', buffer: 7, elementType: 'f32', shape: ['batch', labels.length] },
        { name: 'spun', buffer: 6, elementType: 'i32', shape: [64] },
      ],
      steps: [
        {
          kind: 'dispatch',
          kernel: 'spin',
          label: 'spun',
          operands: [4, 5, 6].map((index) => ({ buffer: index, offset: 0 })),
          integers: [],
          items: 64,
          scratchBytes: 64,
        },
        // One row a round, so that the loop variable and offsets into a buffer are in use.
        {
          kind: 'repeat',
          variable: 'row',
          count: 'batch',
          steps: [
            {
              kind: 'dispatch',
              kernel: 'sum_rows',
              label: 'sums',
              operands: [
                { buffer: 2, offset: ['*', 'row', 'seq'] },
                { buffer: 3, offset: ['*', 'row', 'seq'] },
                { buffer: 0, offset: 0 },
                { buffer: 8, offset: ['*', 'row', width] },
              ],
              integers: ['seq', width],
              items: 1,
              scratchBytes: 0,
            },
          ],
        },
        {
          kind: 'dispatch',
          kernel: 'product',
          label: 'logits',
          operands: [8, 1, 7].map((index) => ({ buffer: index, offset: 0 })),
          integers: [labels.length, width],
          items: 'batch',
          scratchBytes: 0,
        },
        // Never runs: a dim is not below its minimum.
        {
          kind: 'dispatch',
          kernel: 'spin',
          label: 'never',
          operands: [4, 4, 7].map((index) => ({ buffer: index, offset: 0 })),
          integers: [],
          items: 64,
          scratchBytes: 64,
          when: { less: ['seq', 1] },
        },
      ],
    },
  },
};

/** Row-major logits, by the definition. */
export function expectedLogits(ids: readonly (readonly number[])[], mask?: readonly (readonly number[])[]): number[] {
  return ids.flatMap((row, b) => {
    const sums = Array.from({ length: width }, (_, column) =>
      row.reduce((sum, id, t) => sum + (mask?.[b]?.[t] ?? 1) * (table[id * width + column] ?? NaN), 0),
    );
    return labels.map((_, label) =>
      sums.reduce((sum, value, column) => sum + value * (weight[label * width + column] ?? NaN), 0),
    );
  });
}

export const tokenizerJson = {
  version: '1.0',
  truncation: { max_length: 3, strategy: 'LongestFirst', stride: 0, direction: 'Right' },
  padding: null,
  added_tokens: words
    .slice(0, 4)
    .map((content, id) => ({ id, content, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false })),
  normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [
      { SpecialToken: { id: '[CLS]', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '[SEP]', type_id: 0 } },
    ],
    pair: [],
    special_tokens: {
      '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
      '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
    },
  },
  decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(words.map((word, id) => [word, id])),
  },
};

export async function tinyParts(changes: Partial<PackageParts> = {}, target: Partial<PackageTarget> = {}): Promise<PackageParts> {
  const source = memorySource({
    table: { shape: [words.length, width], data: table },
    weight: { shape: [labels.length, width], data: weight },
  });
  const { own, shared } = await assembleForms(kernels, {});
  const goldenIds = [
    [2, 4, 6, 3],
    [2, 5, 3, 0],
  ];
  const total: Program['arenas']['io'] = ['+', 64 + 256 + 64, ['+', program.arenas.io, program.arenas.workspace]];
  return {
    packageName: 'tiny-model',
    packageVersion: '1.0.0',
    name: 'tiny',
    compiler: { name: 'atpc', version: '0.1.0' },
    modelHash: 'none',
    family: 'hand-made',
    task: { kind: 'classify', output: 'logits', labels },
    dims: program.dims,
    state: null,
    inputs: [
      { name: 'input_ids', elementType: 'i32', shape: ['batch', 'seq'], vocabulary: words.length },
      { name: 'attention_mask', elementType: 'i32', shape: ['batch', 'seq'], default: 1 },
      { name: 'rounds', elementType: 'i32', shape: [], default: 0 },
      { name: 'trap', elementType: 'bool', shape: [], default: 0 },
    ],
    outputs: outputPorts(program),
    attention: { keys: null, reason: 'The model has no attention.', calibration: null, layers: [] },
    golden: [
      {
        inputs: { input_ids: { shape: [2, 4], data: goldenIds.flat() } },
        outputs: { logits: { shape: [2, 3], data: expectedLogits(goldenIds) } },
        tolerance: 1e-6,
      },
    ],
    approximations: [],
    source: { license: 'Apache-2.0', description: 'Sums rows of a table.' },
    targets: [
      {
        name: 'wasm',
        program,
        memory: { weights: 256, workspace: program.arenas.workspace, io: program.arenas.io, state: 0, scratch: 64, total },
        stateBytes: 0,
        files: [
          { path: 'kernels.wat', content: kernels },
          { path: 'kernels.wasm', content: own, features: ['simd128'] },
          { path: 'kernels-threads.wasm', content: shared, features: ['simd128', 'threads'] },
        ],
        ...target,
      },
    ],
    tokenizer: {
      json: tokenizerJson,
      configJson: { tokenizer_class: 'BertTokenizer' },
      maxLength: 6,
      padId: 0,
      fixtures: [{ text: 'A good film.', ids: [2, 7, 4, 6, 9, 3] }],
    },
    writeWeights: (folder) => writeWeights(folder, [weightFrom(source, 'table', 'F16'), weightFrom(source, 'weight', 'BF16')]),
    licenseText: null,
    ...changes,
  };
}

export class TemporaryFolder {
  readonly path: string;
  private constructor(folder: string) {
    this.path = folder;
  }
  static async create(): Promise<TemporaryFolder> {
    return new TemporaryFolder(await mkdtemp(path.join(tmpdir(), 'atpc-package-')));
  }
  file(...names: readonly string[]): string {
    return path.join(this.path, ...names);
  }
  url(name: string): URL {
    return pathToFileURL(this.file(name));
  }
  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

export async function writeTiny(
  folder: string,
  changes: Partial<PackageParts> = {},
  target: Partial<PackageTarget> = {},
): ReturnType<typeof writePackage> {
  return writePackage(folder, await tinyParts(changes, target));
}
export async function loadTiny(folder: string, options: LoadOptions = {}): Promise<Model> {
  const { load } = await loadPackage(folder);
  return load(options);
}
/** The code of the error that a promise rejects with, and its text. */
export async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error('The promise was kept.');
}
