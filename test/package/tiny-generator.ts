/**
 * A package that generates, written by hand: its next token follows from all tokens before it, so that one token of another session
 * shows in everything after it.
 *
 *     hash(0) = 7      hash(t + 1) = hash(t) * 31 + id(t)  (32 bits)      logit(t)[v] = -((hash(t + 1) + 7 v) mod 64) / 4
 *
 * The state keeps the hash after every token (`rewinds`), or the last one alone, over which the next is written. A call that reads
 * `slowId` takes long, after it has written the state.
 */
import { assembleForms } from '../../compiler/codegen/wasm/assemble.ts';
import { writePackage, type PackageParts } from '../../compiler/package/write.ts';
import { memorySource } from '../../compiler/weights/tensor-source.ts';
import { weightFrom, writeWeights } from '../../compiler/weights/write.ts';
import type { EntryPoint, Program, ProgramBuffer, Step } from '../../runtime/format/program.ts';

export const vocabulary = 64;
export const maxTokens = 200;
export const chunk = 16;
export const endId = 63;
export const slowId = 62;
export const specialId = 61;

const kernels = `(module
  (import "atpc" "memory" (memory $memory 1))
  (func (export "read")
    (param $begin i32) (param $end i32) (param $scratch i32)
    (param $ids i32) (param $positions i32) (param $state i32) (param $hashes i32) (param $stride i32) (param $seq i32)
    (local $at i32) (local $hash i32) (local $position i32)
    (if (i32.ge_s (local.get $begin) (local.get $end)) (then (return)))
    (loop $tokens
      (local.set $position (i32.load (i32.add (local.get $positions) (i32.shl (local.get $at) (i32.const 2)))))
      (local.set $hash (if (result i32) (local.get $position)
        (then (i32.load (i32.add (local.get $state)
          (i32.mul (local.get $stride) (i32.shl (i32.sub (local.get $position) (i32.const 1)) (i32.const 2))))))
        (else (i32.const 7))))
      (local.set $hash (i32.add (i32.mul (local.get $hash) (i32.const 31))
        (i32.load (i32.add (local.get $ids) (i32.shl (local.get $at) (i32.const 2))))))
      (i32.store (i32.add (local.get $state)
        (i32.mul (local.get $stride) (i32.shl (local.get $position) (i32.const 2)))) (local.get $hash))
      (i32.store (i32.add (local.get $hashes) (i32.shl (local.get $at) (i32.const 2))) (local.get $hash))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $tokens (i32.lt_s (local.get $at) (local.get $seq)))))
  (func (export "wait")
    (param $begin i32) (param $end i32) (param $scratch i32) (param $ids i32) (param $rounds i32) (param $seq i32)
    (local $left i32)
    (block $slow
      (loop $tokens
        (local.set $seq (i32.sub (local.get $seq) (i32.const 1)))
        (br_if $slow (i32.eq (i32.const ${slowId})
          (i32.load (i32.add (local.get $ids) (i32.shl (local.get $seq) (i32.const 2))))))
        (br_if $tokens (local.get $seq)))
      (return))
    (block $done (loop $items
      (br_if $done (i32.ge_s (local.get $begin) (local.get $end)))
      (local.set $left (local.get $rounds))
      (loop $count
        (i32.store (local.get $scratch) (local.get $left))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $count (i32.gt_s (local.get $left) (i32.const 0))))
      (local.set $begin (i32.add (local.get $begin) (i32.const 1)))
      (br $items))))
  (func (export "logits")
    (param $begin i32) (param $end i32) (param $scratch i32)
    (param $hashes i32) (param $steps i32) (param $result i32) (param $size i32)
    (local $token i32) (local $hash i32)
    (block $done (loop $rows
      (br_if $done (i32.ge_s (local.get $begin) (local.get $end)))
      (local.set $hash (i32.load (i32.add (local.get $hashes) (i32.shl (local.get $begin) (i32.const 2)))))
      (local.set $token (i32.const 0))
      (loop $tokens
        (f32.store (i32.add (local.get $result) (i32.shl (i32.add
            (i32.mul (local.get $begin) (local.get $size)) (local.get $token)) (i32.const 2)))
          (f32.mul (f32.const -0.25) (f32.convert_i32_u (i32.rem_u (i32.add (local.get $hash)
            (i32.trunc_f32_s (f32.load (i32.add (local.get $steps) (i32.shl (local.get $token) (i32.const 2))))))
            (local.get $size)))))
        (local.set $token (i32.add (local.get $token) (i32.const 1)))
        (br_if $tokens (i32.lt_s (local.get $token) (local.get $size))))
      (local.set $begin (i32.add (local.get $begin) (i32.const 1)))
      (br $rows))))
)`;
const steps = Float32Array.from({ length: vocabulary }, (_, token) => 7 * token);

const buffers: Record<string, Omit<ProgramBuffer, 'name' | 'firstStep' | 'lastStep'>> = {
  steps: { class: 'weights', elementType: 'f32', offset: 0, bytes: 256 },
  state: { class: 'state', elementType: 'i32', offset: 0, bytes: 4 * maxTokens },
  ids: { class: 'io', elementType: 'i32', offset: 0, bytes: 4 * chunk },
  positions: { class: 'io', elementType: 'i32', offset: 4 * chunk, bytes: 4 * chunk },
  logits: { class: 'io', elementType: 'f32', offset: 8 * chunk, bytes: ['*', 4 * vocabulary, 'seq'] },
  lastLogits: { class: 'io', elementType: 'f32', offset: 8 * chunk, bytes: 4 * vocabulary },
  hashes: { class: 'workspace', elementType: 'i32', offset: 0, bytes: 4 * chunk },
};
const indexOf = (name: string): number => Object.keys(buffers).indexOf(name);
const at = (name: string, offset: DispatchOffset = 0): { buffer: number; offset: DispatchOffset } => ({
  buffer: indexOf(name),
  offset,
});
type DispatchOffset = ProgramBuffer['offset'];

function entryPoint(tokens: number | 'seq', rewinds: boolean, rows: 'all' | 'last', rounds: number): EntryPoint {
  const output = rows === 'all' ? 'logits' : 'lastLogits';
  const first: DispatchOffset = rows === 'all' ? 0 : ['+', tokens, -1];
  const dispatch = { kind: 'dispatch', scratchBytes: 64 } as const;
  const read = {
    ...dispatch,
    kernel: 'read',
    label: 'read',
    operands: [at('ids'), at('positions'), at('state'), at('hashes')],
    integers: [rewinds ? 1 : 0, tokens],
    items: 1,
  };
  const list: Step[] = [
    read,
    { ...dispatch, kernel: 'wait', label: 'wait', operands: [at('ids')], integers: [rounds, tokens], items: 64 },
    {
      ...dispatch,
      kernel: 'logits',
      label: 'logits',
      operands: [at('hashes', first), at('steps'), at(output)],
      integers: [vocabulary],
      items: rows === 'all' ? tokens : 1,
    },
    // Never runs: no more is read than fits.
    { ...read, label: 'never', when: { less: [maxTokens, 'past'] } },
  ];
  return {
    inputs: [
      { name: 'input_ids', buffer: indexOf('ids'), elementType: 'i32', shape: [1, tokens] },
      { name: 'position_ids', buffer: indexOf('positions'), elementType: 'i32', shape: [tokens] },
    ],
    outputs: [
      { name: 'logits', buffer: indexOf(output), elementType: 'f32', shape: [1, rows === 'all' ? tokens : 1, vocabulary] },
    ],
    steps: list,
  };
}

export function generatorProgram(rewinds: boolean, rounds = 6_000_000): Program {
  return {
    formatVersion: 1,
    name: 'tiny-generator',
    dims: [
      { name: 'seq', min: 1, max: chunk },
      { name: 'past', min: 0, max: maxTokens - 1 },
    ],
    buffers: Object.entries(buffers).map(([name, buffer]) => ({ name, ...buffer, firstStep: 0, lastStep: 3 })),
    arenas: {
      weights: 256,
      io: ['+', 8 * chunk, ['*', 4 * vocabulary, 'seq']],
      state: 4 * maxTokens,
      workspace: 64,
      scratch: 64,
    },
    weights: [{ tensor: 'steps', buffer: 0, shape: [vocabulary], packing: { kind: 'rows' } }],
    entryPoints: {
      prefill: entryPoint('seq', rewinds, 'last', rounds),
      decode: entryPoint(1, rewinds, 'last', rounds),
      score: entryPoint('seq', rewinds, 'all', rounds),
    },
  };
}

/** Logits of the token after these. */
export function expectedLogits(ids: readonly number[]): number[] {
  const hash = ids.reduce((sum, id) => (Math.imul(sum, 31) + id) >>> 0, 7);
  return Array.from({ length: vocabulary }, (_, token) => -(((hash + 7 * token) >>> 0) % vocabulary) / 4);
}
/** What comes after these when always the likeliest token is taken. */
export function expectedAnswer(prompt: readonly number[], count: number): number[] {
  const ids = [...prompt];
  while (ids.length < prompt.length + count) {
    const logits = expectedLogits(ids);
    const next = logits.indexOf(Math.max(...logits));
    if (next === endId) break;
    ids.push(next);
  }
  return ids.slice(prompt.length);
}

/** Letters for the ids 0 to 60: bytes of ASCII, and those of '€' and '😀', which are no whole characters by themselves. */
const letters = [
  ...'abcdefghijklmnopqrstuvwxyz0123456789.:,!?-+()',
  '\u0120',
  '\u00e2',
  '\u0124',
  '\u00ac',
  '\u00f0',
  '\u0141',
  '\u013a',
  '\u0122',
  '\u010a',
];
const vocab: readonly string[] = Array.from({ length: vocabulary }, (_, id) => letters[id] ?? `<|${id}|>`);
export const tokenizerJson = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: [specialId, slowId, endId].map((id) => ({
    id,
    content: vocab[id],
    special: true,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
  })),
  normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
  post_processor: null,
  decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: { type: 'BPE', unk_token: null, merges: [], vocab: Object.fromEntries(vocab.map((text, id) => [text, id])) },
};
const template =
  "{% for message in messages %}{% if message.role == 'nobody' %}{{ raise_exception('Nobody speaks') }}{% endif %}" +
  '{{ bos_token }}{{ message.role }}:{{ message.content }}{% endfor %}{{ bos_token }}{{ tone }}-';

export async function generatorParts(
  rewinds: boolean,
  changes: Partial<PackageParts> = {},
  program: Program = generatorProgram(rewinds),
): Promise<PackageParts> {
  const { own, shared } = await assembleForms(kernels, {});
  const source = memorySource({ steps: { shape: [vocabulary], data: steps } });
  const prompt = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18];
  const io = 8 * chunk + 4 * vocabulary * chunk;
  return {
    packageName: 'tiny-generator',
    packageVersion: '1.0.0',
    name: 'tiny-generator',
    compiler: { name: 'atpc', version: '0.1.0' },
    modelHash: 'none',
    family: 'hand-made',
    task: { kind: 'generate', output: 'logits', vocabulary, endIds: [endId], chat: true },
    dims: [{ name: 'seq', min: 1, max: maxTokens }],
    inputs: [{ name: 'input_ids', elementType: 'i32', shape: [1, 'seq'], vocabulary }],
    outputs: [{ name: 'logits', elementType: 'f32', shape: [1, 'seq', vocabulary] }],
    attention: { keys: null, reason: 'The model has no attention.', calibration: null, layers: [] },
    state: { elementType: 'f32', maxTokens, trainedTokens: maxTokens, chunk, rewinds },
    golden: [
      {
        inputs: { input_ids: { shape: [1, prompt.length], data: prompt } },
        outputs: {
          logits: {
            shape: [1, prompt.length, vocabulary],
            data: prompt.flatMap((_, index) => expectedLogits(prompt.slice(0, index + 1))).slice(0, 64),
          },
        },
        tolerance: 1e-6,
      },
    ],
    approximations: [],
    source: { license: 'Apache-2.0', description: 'Hashes tokens.' },
    targets: [
      {
        name: 'wasm',
        program,
        memory: { weights: 256, workspace: 64, io, state: 832, scratch: 64, total: 64 + 256 + 64 + io + 832 + 64 },
        stateBytes: 4 * maxTokens,
        files: [
          { path: 'kernels.wasm', content: own, features: ['simd128'] },
          { path: 'kernels-threads.wasm', content: shared, features: ['simd128', 'threads'] },
        ],
      },
    ],
    tokenizer: {
      json: tokenizerJson,
      configJson: { tokenizer_class: 'GPT2Tokenizer', bos_token: { content: vocab[specialId] }, chat_template: template },
      maxLength: maxTokens,
      padId: 0,
      fixtures: [{ text: 'ab', ids: [0, 1] }],
    },
    writeWeights: (folder) => writeWeights(folder, [weightFrom(source, 'steps', 'F32')]),
    licenseText: null,
    ...changes,
  };
}
export async function writeGenerator(
  folder: string,
  rewinds: boolean,
  changes: Partial<PackageParts> = {},
  program?: Program,
): ReturnType<typeof writePackage> {
  return writePackage(folder, await generatorParts(rewinds, changes, program));
}
