/** A model that is compiled once per attention mode and run in this process, through the kernels of the WASM target. */
import { choosePlan } from '../../compiler/attention/choose-plan.ts';
import { build, emit, moduleOf } from '../../compiler/build.ts';
import { calibrate, type Encode } from '../../compiler/calibrate/calibrate.ts';
import { captureAttention } from '../../compiler/calibrate/capture.ts';
import { measureKeysRead, type KeysRead } from '../../compiler/calibrate/keys-read.ts';
import { targetNamed } from '../../compiler/codegen/targets.ts';
import { Parameters } from '../../compiler/program/parameters.ts';
import { instantiateProgram, type RunInputs } from '../../compiler/program/run-program.ts';
import { longestSequence, openModel, type SourceModel } from '../../compiler/source-model.ts';
import type { ModeName } from '../../passes/atp/modes/table.ts';
import { attentionNodes, attentionShape } from '../../passes/atp/site.ts';
import { TextTokenizer } from '../../runtime/tokenizer.ts';

/** A way of running the attention of a model; `keys` as for --keys, null for dense. */
export interface Setting {
  readonly mode: ModeName;
  readonly keys: string | null;
}
export const dense: Setting = { mode: 'dense', keys: null };
/** Every mode at the shares of the paper, and more of the default one; on weights that nothing was tuned for. */
export const untunedSettings: readonly Setting[] = [
  dense,
  { mode: 'expand', keys: '1/2' },
  { mode: 'expand', keys: '1/4' },
  { mode: 'expand', keys: '1/8' },
  { mode: 'topr', keys: '1/2' },
  { mode: 'topr', keys: '1/4' },
  { mode: 'cluster', keys: '1/2' },
  { mode: 'cluster', keys: '1/4' },
  { mode: 'shared', keys: '1/2' },
  { mode: 'shared', keys: '1/4' },
  { mode: 'segment', keys: '1/2' },
  { mode: 'segment', keys: '1/4' },
  { mode: 'svd', keys: '1/2' },
  { mode: 'svd', keys: '1/4' },
];
export function describeSetting({ mode, keys }: Setting): string {
  return keys === null ? mode : `${mode} ${keys}`;
}

/** Heads of a layer whose keys are counted. */
export const measuredHeads = 4;

export interface CompiledSetting {
  /** The task's output for one text: logits, or the sentence embedding. */
  run(ids: readonly number[]): readonly number[];
  /** Keys read a query, counted on the activations of some texts under dense attention; null for dense. */
  keysRead(texts: readonly (readonly number[])[]): Promise<KeysRead | null>;
}
export interface MeasuredModel {
  encode(text: string): readonly number[];
  compile(setting: Setting): Promise<CompiledSetting>;
}

function inputsOf(ids: readonly number[]): RunInputs {
  return {
    input_ids: Int32Array.from(ids),
    attention_mask: new Int32Array(ids.length).fill(1),
    token_type_ids: new Int32Array(ids.length),
  };
}

function taskOutput({ name, task }: SourceModel): string {
  if (task.kind === 'tensors') throw new Error(`The model ${name} has no task: expected a classifier or an embedding model.`);
  return task.output;
}

/** Opens a Hugging Face folder; texts are cut at `maxTokens` ids, special tokens kept. */
export async function measuredModel(folder: string, maxTokens: number): Promise<MeasuredModel> {
  const source = await openModel(folder);
  if (!source.tokenizer) throw new Error(`The model in ${folder} has no tokenizer.`);
  const output = taskOutput(source);
  const tokenizer = new TextTokenizer(source.tokenizer.json, source.tokenizer.config, maxTokens);
  const encode: Encode = (text, limit) => tokenizer.encode(text, limit).ids;
  const target = targetNamed('wasm');
  const shapes = attentionNodes(source.graph).map(attentionShape);
  const longest = longestSequence(source.graph);
  return {
    encode,
    async compile({ mode, keys }) {
      // Literal ATP is refused on a model that was not tuned with it; here it is measured what that would cost.
      const options = { attention: mode, ...(keys === null ? {} : { keys }), force: true };
      const plan = await choosePlan(options, { shapes, maxTokens: longest, targets: [target], tuned: source.tuned });
      const built = build(source.graph, { plan, target, verify: false });
      const { files } = await emit(built, target);
      const { computed, tensors } = await calibrate(source, plan, encode, target, longest);
      const parameters = new Parameters({
        source: tensors,
        derived: built.stage.derived,
        computed,
        storage: null,
        formats: built.formats,
      });
      const program = await instantiateProgram(built.program, moduleOf(files), (name) => parameters.read(name));
      return {
        run(ids) {
          const result = program.run({ batch: 1, seq: ids.length }, inputsOf(ids))[output];
          if (!result) throw new Error(`The model in ${folder} gave no output '${output}'.`);
          return Array.from(result.data);
        },
        async keysRead(texts) {
          const inputs = texts.map((ids) => ({ tokens: ids.length, inputs: inputsOf(ids) }));
          const sample = mode === 'dense' ? [] : await captureAttention(source.graph, tensors, inputs, target);
          const measured = plan.layers.flatMap(({ layer, groups }) =>
            groups.flatMap((group) => {
              const ofLayer = sample.flatMap((text) => text[layer] ?? []);
              const heads = { ...group, kvHeads: group.kvHeads.slice(0, measuredHeads) };
              return measureKeysRead(ofLayer, heads, target.queriesPerChoice) ?? [];
            }),
          );
          if (measured.length === 0) return null;
          return {
            mean: measured.reduce((sum, { mean }) => sum + mean, 0) / measured.length,
            max: Math.max(...measured.map(({ max }) => max)),
          };
        },
      };
    },
  };
}
