import type {
  CallOptions,
  ChatMessage,
  ChatOptions,
  Classification,
  EmbedOptions,
  GenerateOptions,
  Generation,
  Model,
  ModelInfo,
  NamedInputs,
  NamedOutputs,
  Session,
  Tokenized,
} from './api.ts';
import type { Backend } from './backends/backend.ts';
import { totalFormula } from './backends/one-memory/layout.ts';
import { AtpcError } from './errors.ts';
import { evaluateExpression } from './format/expression.ts';
import type { Manifest, ManifestTarget, Task } from './format/manifest.ts';
import type { CreateGeneration, GenerationFeature } from './generate/feature.ts';
import { prepareInputs, type PreparedInputs } from './inputs.ts';
import { checkOptions } from './options.ts';
import { Queue } from './queue.ts';
import { selfTest } from './self-test.ts';
import { keepsNothing, refusedGeneration, TensorSession } from './tensor-session.ts';
import { checkTexts, lengthOfEmbedding, TextPipeline, toClassification } from './texts.ts';
import type { TextTokenizer } from './tokenizer.ts';

export interface ModelParts {
  readonly manifest: Manifest;
  /** Of the manifest, what the backend runs. */
  readonly target: ManifestTarget;
  readonly backend: Backend;
  readonly tokenizer: TextTokenizer | undefined;
  readonly generation: CreateGeneration | undefined;
}

/** A package on a backend. */
export class LoadedModel implements Model {
  readonly #manifest: Manifest;
  readonly #target: ManifestTarget;
  readonly #backend: Backend;
  readonly #tokenizer: TextTokenizer | undefined;
  readonly #queue = new Queue();
  readonly #generation: GenerationFeature | undefined;
  #texts: TextPipeline | undefined;
  #disposed: Promise<void> | undefined;

  constructor({ manifest, target, backend, tokenizer, generation }: ModelParts) {
    this.#manifest = manifest;
    this.#target = target;
    this.#backend = backend;
    this.#tokenizer = tokenizer;
    this.#generation = generation?.({
      manifest,
      target,
      backend,
      tokenizer,
      queue: this.#queue,
      run: (inputs, options) => this.run(inputs, options),
    });
  }

  async run(inputs: NamedInputs, options: CallOptions = {}): Promise<NamedOutputs> {
    this.#begin('run', options, ['signal']);
    // Inputs are checked and copied now: the caller may change its arrays while the call waits.
    const prepared = prepareInputs(this.#manifest, inputs);
    return this.#runPrepared(prepared, options.signal);
  }
  /** A model that generates reads its tokens in pieces, each of them a call of its own. */
  #runPrepared(inputs: PreparedInputs, signal: AbortSignal | undefined): Promise<NamedOutputs> {
    if (this.#generation) return this.#generation.score(inputs, signal);
    return this.#queue.run(() => this.#backend.run(inputs, signal), signal);
  }

  embed(text: string, options?: EmbedOptions): Promise<Float32Array<ArrayBuffer>>;
  embed(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array<ArrayBuffer>[]>;
  async embed(
    texts: string | readonly string[],
    options: EmbedOptions = {},
  ): Promise<Float32Array<ArrayBuffer> | Float32Array<ArrayBuffer>[]> {
    this.#begin('embed', options, ['signal', 'normalize']);
    const task = this.#task('embed');
    const toLength = lengthOfEmbedding(task.normalized, options.normalize);
    return oneOrAll(texts, await this.#rows('embed', texts, task.output, toLength, options.signal));
  }

  classify(text: string, options?: CallOptions): Promise<Classification>;
  classify(texts: readonly string[], options?: CallOptions): Promise<Classification[]>;
  async classify(texts: string | readonly string[], options: CallOptions = {}): Promise<Classification | Classification[]> {
    this.#begin('classify', options, ['signal']);
    const task = this.#task('classify');
    return oneOrAll(
      texts,
      await this.#rows('classify', texts, task.output, (row) => toClassification(row, task.labels), options.signal),
    );
  }

  tokenize(text: string): Tokenized {
    this.#begin('tokenize', {}, []);
    const [only = ''] = checkTexts('tokenize', text);
    const { ids, tokens, truncated } = this.#needTokenizer().encode(only);
    return { ids, tokens, truncated };
  }

  session(): Session {
    this.#begin('session', {}, []);
    if (this.#generation) return this.#generation.session();
    return new TensorSession(this.#manifest.name, (inputs, options) => this.run(inputs, options));
  }
  generate(prompt: string | readonly number[], options?: GenerateOptions): Generation {
    if (!this.#generation) return refusedGeneration(this.#manifest.name, 'generate');
    return this.#generation.alone((session) => session.generate(prompt, options));
  }
  chat(messages: readonly ChatMessage[], options?: ChatOptions): Generation {
    if (!this.#generation) return refusedGeneration(this.#manifest.name, 'chat');
    return this.#generation.alone((session) => session.chat(messages, options));
  }
  async restore(bytes: Uint8Array, options: CallOptions = {}): Promise<Session> {
    this.#begin('restore', options, ['signal']);
    options.signal?.throwIfAborted();
    if (this.#generation) return this.#generation.restore(bytes);
    throw keepsNothing(this.#manifest.name);
  }

  info(): ModelInfo {
    const { name, dims, attention, compiler, runtime } = this.#manifest;
    const { memory, approximations = this.#manifest.approximations } = this.#target;
    const formula = totalFormula(memory, this.#backend.threads.used);
    const largest = Object.fromEntries(dims.map((dim) => [dim.name, dim.max]));
    return {
      name,
      backend: this.#backend.name,
      why: this.#backend.why,
      device: this.#backend.device,
      threads: this.#backend.threads,
      memory: {
        bytes: this.memoryBytes,
        peakBytes: this.#backend.peakMemoryBytes,
        maximumBytes: evaluateExpression(formula, largest),
        formula,
      },
      dims,
      attention,
      approximations,
      compilerVersion: compiler.version,
      runtimeVersion: runtime.version,
    };
  }

  get memoryBytes(): number {
    return this.#disposed ? 0 : this.#backend.memoryBytes;
  }

  async selfTest(options: CallOptions = {}): Promise<void> {
    this.#begin('selfTest', options, ['signal']);
    const { signal } = options;
    return selfTest(this.#manifest, this.#target, this.#tokenizer, (inputs) => this.#runPrepared(inputs, signal));
  }

  dispose(): Promise<void> {
    if (this.#disposed === undefined) {
      this.#queue.close(disposedError('model'));
      this.#disposed = this.#backend.dispose();
    }
    return this.#disposed;
  }
  [Symbol.dispose](): void {
    void this.dispose();
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #begin(call: string, options: object, known: readonly string[]): void {
    if (this.#disposed) throw disposedError('model');
    checkOptions(call, options, known);
  }
  #task<K extends Task['kind']>(kind: K): Extract<Task, { kind: K }> {
    const { task, name } = this.#manifest;
    this.#needTokenizer();
    if (task.kind === kind) return task as Extract<Task, { kind: K }>;
    const does = task.kind === 'tensors' ? 'it takes and gives tensors' : `it is made to ${task.kind}`;
    throw new AtpcError('ATPC-605', `The model '${name}' cannot ${kind}: ${does}.`, {
      hint: task.kind === 'tensors' ? 'Use run with tensors.' : `Use ${task.kind}, or run with tensors.`,
    });
  }
  #needTokenizer(): TextTokenizer {
    if (this.#tokenizer) return this.#tokenizer;
    throw new AtpcError('ATPC-605', `The model '${this.#manifest.name}' takes tensors only: its package has no tokenizer.`, {
      hint: 'Use run with tensors, or compile a folder that has a tokenizer.json.',
    });
  }
  #rows<T>(
    call: string,
    texts: string | readonly string[],
    output: string,
    take: (row: Float32Array<ArrayBuffer>) => T,
    signal: AbortSignal | undefined,
  ): Promise<T[]> {
    const list = [...checkTexts(call, texts)];
    this.#texts ??= new TextPipeline(this.#manifest, this.#needTokenizer());
    const pipeline = this.#texts;
    return this.#queue.run(
      () => pipeline.rows(list, output, (inputs) => this.#backend.run(inputs, signal), take, signal),
      signal,
    );
  }
}

function disposedError(what: 'model' | 'session'): AtpcError {
  return new AtpcError('ATPC-606', `The ${what} was disposed of.`);
}
function oneOrAll<T>(texts: string | readonly string[], results: T[]): T | T[] {
  return typeof texts === 'string' ? (results[0] as T) : results;
}
