/** What recorded outputs of real models ask of any backend. */
import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { build, emit } from '../../compiler/build.ts';
import { Parameters } from '../../compiler/program/parameters.ts';
import { openModel, type SourceModel } from '../../compiler/source-model.ts';
import { formatsOf } from '../../compiler/weights/tensor-source.ts';
import { densePlan } from '../../passes/atp/plan.ts';
import { minilmFolder, requires, smollm2File } from '../requirements.ts';
import { sharedFile } from '../shared-data.ts';
import type { Backend, BackendProgram } from './conformance.ts';

interface Compiled {
  readonly program: BackendProgram;
  readonly formats: number;
}
/** A model dense, without a state; `maxTokens` where it takes more in one call than a package reads at a time. */
async function compileDense(backend: Backend, source: SourceModel, maxTokens?: number): Promise<Compiled> {
  const dims = source.graph.dims.map((dim) => (maxTokens !== undefined && dim.name === 'seq' ? { ...dim, max: maxTokens } : dim));
  const { target } = backend;
  const built = build({ ...source.graph, dims }, { plan: densePlan, target, verify: false, formatOf: formatsOf(source.tensors) });
  const { formats } = built;
  const parameters = new Parameters({
    source: source.tensors,
    derived: built.stage.derived,
    computed: {},
    storage: null,
    formats,
  });
  const { files } = await emit(built, target, { build: backend.build });
  const program = await backend.instantiate(built.program, files, (name) => parameters.readTensor(name));
  return { program, formats: formats.size };
}
async function readGolden(context: Mocha.Context, name: string): Promise<unknown> {
  return JSON.parse(await readFile(sharedFile(context, 'golden', name), 'utf8'));
}
function inputsOf(ids: readonly number[]): Record<string, Int32Array<ArrayBuffer>> {
  return {
    input_ids: Int32Array.from(ids),
    attention_mask: new Int32Array(ids.length).fill(1),
    token_type_ids: new Int32Array(ids.length),
  };
}

interface SmolLM2Golden {
  readonly ids: readonly number[];
  readonly modes: {
    readonly dense: {
      readonly mean_nll: number;
      readonly logits: readonly { readonly pos: number; readonly top8: readonly (readonly [id: number, logit: number])[] }[];
    };
  };
}

/** `promptTokens`: how much of the recorded text SmolLM2 reads; less than all of it says nothing of the recorded loss. */
export function goldenModels(backend: Backend, { promptTokens = Infinity } = {}): void {
  describe(`recorded outputs of real models on backend ${backend.name}`, function () {
    this.timeout(900_000);
    const { rounding } = backend.target;
    /** How far numbers may be off whose largest is of this size: so much in f32, or what the target's rounding may do to them. */
    const allowed = (inFull: number, largest: number): number => (rounding ? rounding.tolerance * largest : inFull);
    const largestOf = (values: readonly number[]): number => Math.max(...values.map(Math.abs));
    before(function () {
      if (backend.needs) requires(this, backend.needs.requirement, backend.needs.isThere());
    });

    it(`MiniLM: the embeddings to ${rounding ? 'its rounding' : '1e-4'}`, async function () {
      requires(this, 'minilm', existsSync(minilmFolder));
      const golden = (await readGolden(this, 'golden_minilm.json')) as {
        readonly items: readonly { readonly ids: readonly number[]; readonly first8: readonly number[] }[];
        readonly cosine: readonly (readonly number[])[];
      };
      const { program } = await compileDense(backend, await openModel(minilmFolder));
      const embeddings: ArrayLike<number>[] = [];
      for (const [item, { ids, first8 }] of golden.items.entries()) {
        const outputs = await program.run({ batch: 1, seq: ids.length }, inputsOf(ids));
        const embedding = outputs['sentence_embedding']?.data ?? [];
        const tolerance = allowed(1e-4, largestOf(first8));
        first8.forEach((value, index) => expect(embedding[index], `text ${item}`).to.be.closeTo(value, tolerance));
        embeddings.push(embedding);
      }
      const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
        Array.from(a).reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
      embeddings.forEach((a, item) =>
        embeddings.forEach((b, other) => expect(dot(a, b)).to.be.closeTo(golden.cosine[item]?.[other] ?? NaN, allowed(1e-4, 1))),
      );
    });

    it(`sentiment-mini: the logits to ${rounding ? 'its rounding' : '1e-4'}`, async function () {
      const golden = (await readGolden(this, 'golden_sentiment.json')) as {
        readonly items: readonly { readonly ids: readonly number[]; readonly logits_dense: readonly number[] }[];
      };
      const folder = path.dirname(sharedFile(this, 'models', 'sentiment-mini', 'config.json'));
      const { program } = await compileDense(backend, await openModel(folder));
      for (const [item, { ids, logits_dense: expected }] of golden.items.entries()) {
        const { logits } = await program.run({ batch: 1, seq: ids.length }, inputsOf(ids));
        const tolerance = allowed(1e-4, largestOf(expected));
        for (const [at, value] of expected.entries()) expect(logits?.data[at], `text ${item}`).to.be.closeTo(value, tolerance);
      }
    });

    it(`SmolLM2: the logits to ${rounding ? 'its rounding' : '2e-3'}${promptTokens === Infinity ? ' and the loss to 5e-5' : ''}, multiplied from its blocks`, async function () {
      requires(this, 'smollm2', existsSync(smollm2File));
      const golden = (await readGolden(this, 'golden_smollm2.json')) as SmolLM2Golden;
      const { dense } = golden.modes;
      const ids = golden.ids.slice(0, promptTokens);
      const { program, formats } = await compileDense(backend, await openModel(smollm2File), 640);
      // 7 matrices a layer, of which query, key and value are one, and gate and up; and the table that is the head too.
      expect(formats).to.equal(30 * 4 + 1);
      const { logits } = await program.run({ seq: ids.length }, { input_ids: Int32Array.from(ids) });
      const vocabulary = logits?.shape.at(-1) ?? 0;
      const row = (position: number): ArrayLike<number> =>
        (logits?.data ?? new Float32Array()).subarray(position * vocabulary, (position + 1) * vocabulary);

      for (const { pos, top8 } of dense.logits.filter(({ pos: position }) => position < ids.length)) {
        const tolerance = allowed(2e-3, largestOf(top8.map(([, logit]) => logit)));
        for (const [id, logit] of top8) expect(row(pos)[id], `token ${id} at ${pos}`).to.be.closeTo(logit, tolerance);
      }
      if (ids.length < golden.ids.length) return;
      const losses = golden.ids.slice(1).map((next, position) => logSumExp(row(position)) - (row(position)[next] ?? 0));
      const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
      expect(mean).to.be.closeTo(dense.mean_nll, 5e-5);
    });
  });
}

function logSumExp(values: ArrayLike<number>): number {
  let largest = -Infinity;
  for (let index = 0; index < values.length; index += 1) largest = Math.max(largest, values[index] ?? 0);
  let sum = 0;
  for (let index = 0; index < values.length; index += 1) sum += Math.exp((values[index] ?? 0) - largest);
  return largest + Math.log(sum);
}
