/** A causal model that is compiled once per cache plan and run in this process, through the kernels of the WASM target. */
import { buildStateful, emit, moduleOf } from '../../compiler/build.ts';
import { wasmTarget } from '../../compiler/codegen/wasm/target.ts';
import { Parameters } from '../../compiler/program/parameters.ts';
import { instantiateProgram } from '../../compiler/program/run-program.ts';
import { longestSequence, openModel } from '../../compiler/source-model.ts';
import { formatsOf } from '../../compiler/weights/tensor-source.ts';
import type { CachePlan } from '../../passes/atp/cache-plan.ts';
import { attentionNodes, attentionShape } from '../../passes/atp/site.ts';
import { pastDim, positionsInput, seqDim } from '../../passes/cache.ts';
import { hasFeature } from '../../runtime/backends/wasm/feature-probe.ts';
import { TextTokenizer } from '../../runtime/tokenizer.ts';

export interface CausalModel {
  /** Token ids of a text, none added at its beginning. */
  encode(text: string): readonly number[];
  /** KV heads, by layer. */
  readonly heads: readonly number[];
  /** `maxTokens`: what a text may have, with what is generated. */
  compile(plan: CachePlan, maxTokens: number): Promise<CompiledCausalModel>;
}
export interface CompiledCausalModel {
  /** A text of no tokens yet, which grows. At most one is open. */
  open(): GrowingText;
}
/** Receives the logits of the token after `position`; the array is only valid during the call. */
export type OnLogits = (position: number, logits: Float32Array) => void;
export interface GrowingText {
  /** Adds tokens; returns the logits after the last of them. One token goes through the entry point for decoding. */
  read(ids: readonly number[]): Float32Array;
  /** Adds tokens; gives the logits after each of them. */
  score(ids: readonly number[], onLogits: OnLogits): void;
  close(): void;
}

/** Opens a GGUF file or a Hugging Face folder of a model that generates. */
export async function causalModel(location: string): Promise<CausalModel> {
  const source = await openModel(location);
  if (source.task.kind !== 'generate') throw new Error(`The model ${location} does not generate text.`);
  const { output } = source.task;
  const { tokenizer: files } = source;
  if (!files) throw new Error(`The model ${location} has no tokenizer.`);
  const tokenizer = new TextTokenizer(files.json, files.config, Number.MAX_SAFE_INTEGER);
  const features = hasFeature('relaxed-simd') ? (['simd128', 'relaxed-simd'] as const) : (['simd128'] as const);
  const chunk = longestSequence(source.graph);
  return {
    encode: (text) => tokenizer.encode(text).ids,
    heads: attentionNodes(source.graph).map((node, layer) => attentionShape(node, layer).kvHeads),
    async compile(plan, maxTokens) {
      const options = { plan, maxTokens, target: wasmTarget, verify: false, formatOf: formatsOf(source.tensors) };
      const built = buildStateful(source.graph, options);
      const { files: kernels } = await emit(built, wasmTarget, { build: features });
      const parameters = new Parameters({
        source: source.tensors,
        derived: built.stage.derived,
        computed: {},
        storage: null,
        formats: built.formats,
      });
      const code = moduleOf(kernels, features);
      const program = await instantiateProgram(built.program, code, (name) => parameters.readTensor(name));
      return {
        open() {
          const state = program.openState();
          let past = 0;
          const run = (entry: 'prefill' | 'decode' | 'score', ids: readonly number[]): Float32Array => {
            const dims = { [pastDim]: past, ...(entry === 'decode' ? {} : { [seqDim]: ids.length }) };
            const inputs = {
              input_ids: Int32Array.from(ids),
              [positionsInput]: Int32Array.from(ids, (_, index) => past + index),
            };
            const result = program.run(dims, inputs, { entry, state })[output];
            if (!(result?.data instanceof Float32Array)) throw new Error(`The model ${location} gave no output '${output}'.`);
            past += ids.length;
            return result.data;
          };
          const chunks = (ids: readonly number[]): readonly (readonly number[])[] =>
            Array.from({ length: Math.ceil(ids.length / chunk) }, (_, index) => ids.slice(index * chunk, (index + 1) * chunk));
          const text: GrowingText = {
            read: (ids) =>
              chunks(ids).reduce<Float32Array>(
                (_, part) => run(part.length === 1 ? 'decode' : 'prefill', part),
                new Float32Array(),
              ),
            score(ids, onLogits) {
              for (const part of chunks(ids)) {
                const first = past;
                const logits = run('score', part);
                const width = logits.length / part.length;
                part.forEach((_, row) => onLogits(first + row, logits.subarray(row * width, (row + 1) * width)));
              }
            },
            close: () => program.closeState(state),
          };
          return text;
        },
      };
    },
  };
}
