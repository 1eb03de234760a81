import type {
  CallOptions,
  ChatMessage,
  ChatOptions,
  GeneratedPiece,
  GenerateOptions,
  Generation,
  GenerationResult,
  NamedInputs,
  NamedOutputs,
  Session,
  TokenLogprob,
} from '../api.ts';
import { StateLost } from '../backends/executor.ts';
import { AtpcError } from '../errors.ts';
import { checkOptions } from '../options.ts';
import { Queue } from '../queue.ts';
import { Answer, type Released } from './answer.ts';
import { readTokens, type ProgramCaller } from './calls.ts';
import { StartedOnDemand } from './generation.ts';
import { probabilities, Sampler } from './sampler.ts';
import type { SessionState } from './prompt.ts';
import type { SavedSession } from './saved-session.ts';
import type { GenerationSettings } from './settings.ts';
import type { TokenBytes } from './token-bytes.ts';

/** What a session needs of its model. */
export interface SessionModel extends ProgramCaller {
  readonly state: SessionState;
  readonly endIds: ReadonlySet<number>;
  /** Bytes of each token; undefined without a tokenizer, where answers are ids only. */
  readonly tokenBytes: () => TokenBytes | undefined;
  /** Token ids of a prompt; throws ATPC-601, 603, 604 and 605. */
  readonly promptIds: (prompt: string | readonly number[]) => readonly number[];
  readonly chatIds: (messages: readonly ChatMessage[], options: ChatOptions) => readonly number[];
  readonly settings: (call: 'generate' | 'chat', options: GenerateOptions) => GenerationSettings;
  readonly run: (inputs: NamedInputs, options?: CallOptions) => Promise<NamedOutputs>;
  readonly save: (session: SavedSession) => Promise<Uint8Array<ArrayBuffer>>;
}
// A device that is lost again and again while tokens are read into its memory is given up.
const mostLosses = 3;
const entryFor = (ids: readonly number[]): 'decode' | 'prefill' => (ids.length === 1 ? 'decode' : 'prefill');

type Logprob = NonNullable<GeneratedPiece['logprobs']>[number];
interface AnswerToken {
  readonly id: number;
  readonly logprob: Logprob | undefined;
}

/** A conversation: the tokens that a state holds, and calls that go on from there. */
export class GeneratingSession implements Session {
  readonly #model: SessionModel;
  readonly #queue = new Queue();
  readonly #ended = new AbortController();
  #state: number | undefined;
  /** What was read and generated; the state holds the first `#past` of them. */
  #ids: number[] = [];
  #past = 0;
  #current: Promise<unknown> = Promise.resolve();

  constructor(model: SessionModel) {
    this.#model = model;
  }

  get ids(): readonly number[] {
    return [...this.#ids];
  }
  get stateBytes(): number {
    return this.#state === undefined ? 0 : this.#model.state.bytes;
  }

  run(inputs: NamedInputs, options?: CallOptions): Promise<NamedOutputs> {
    if (this.#ended.signal.aborted) return Promise.reject(disposed());
    return this.#model.run(inputs, options);
  }
  generate(prompt: string | readonly number[], options: GenerateOptions = {}): Generation {
    const copied = { ...options };
    const given = typeof prompt === 'string' || !Array.isArray(prompt) ? prompt : [...(prompt as readonly number[])];
    return this.#generation('generate', copied, () => this.#model.promptIds(given));
  }
  chat(messages: readonly ChatMessage[], options: ChatOptions = {}): Generation {
    const copied = { ...options };
    const given = Array.isArray(messages) ? messages.map((message: ChatMessage) => ({ ...message })) : messages;
    return this.#generation('chat', copied, () => this.#model.chatIds(given, copied));
  }
  async save(options: CallOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    checkOptions('save', options, ['signal']);
    return this.#exclusively(async (signal) => {
      const past = this.#past;
      const read = (state: number): Promise<Uint8Array<ArrayBuffer>> => this.#model.backend.readState(state);
      const bytes = past === 0 ? new Uint8Array() : await this.#withState(read, signal);
      return this.#model.save({ ids: this.ids, past, state: bytes });
    }, options.signal);
  }
  /** Puts a saved session in, before anything else is done. */
  async restore({ ids, past, state }: SavedSession): Promise<void> {
    try {
      if (past > 0) {
        this.#state = await this.#model.backend.openState();
        await this.#model.backend.writeState(this.#state, state);
      }
    } catch (error) {
      if (!(error instanceof StateLost)) throw error;
      this.#state = undefined;
    }
    this.#ids = [...ids];
    this.#past = past;
  }

  dispose(): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort(disposed());
    this.#queue.close(disposed());
    const close = (): void => {
      if (this.#state !== undefined) this.#model.backend.closeState(this.#state);
      this.#state = undefined;
    };
    // Not before the last call that uses the state was handed over or taken back.
    void this.#current.then(close, close);
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** One task at a time, in order; each sees the end of the session. */
  #exclusively<T>(task: (signal: AbortSignal) => Promise<T>, ...signals: readonly (AbortSignal | undefined)[]): Promise<T> {
    const { signal, release } = anyOf([this.#ended.signal, ...signals]);
    const start = (): Promise<T> => {
      const running = task(signal);
      this.#current = running.catch(() => undefined);
      return running;
    };
    return this.#queue.run(start, signal).finally(release);
  }
  #generation(call: 'generate' | 'chat', options: GenerateOptions, prompt: () => readonly number[]): Generation {
    return new StartedOnDemand(async (emit, left) => {
      const settings = this.#model.settings(call, options);
      const ids = prompt();
      return this.#exclusively((signal) => this.#answer(ids, settings, emit, signal), left, options.signal);
    });
  }
  /** Does something with the state; where that is lost with its device, with another one. Rejects with ATPC-506 when that goes on. */
  async #withState<T>(use: (state: number) => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let losses = 0; ; losses += 1) {
      try {
        return await use((this.#state ??= await this.#openState(signal)));
      } catch (error) {
        if (!(error instanceof StateLost)) throw error;
        this.#state = undefined;
        if (losses === mostLosses) throw new AtpcError('ATPC-506', error.message, { cause: error });
      }
    }
  }
  /** A state that holds the first `#past` tokens: none for a new session, and what was read before for one whose state was lost. */
  async #openState(signal: AbortSignal): Promise<number> {
    const {
      backend,
      state: { chunk },
    } = this.#model;
    const state = await backend.openState();
    try {
      for (let past = 0; past < this.#past; past += chunk) {
        signal.throwIfAborted();
        const ids = this.#ids.slice(past, Math.min(this.#past, past + chunk));
        await readTokens(this.#model, { entry: entryFor(ids), state, ids, past, signal });
      }
      return state;
    } catch (error) {
      backend.closeState(state);
      throw error;
    }
  }

  async #answer(
    prompt: readonly number[],
    settings: GenerationSettings,
    emit: (piece: GeneratedPiece) => void,
    signal: AbortSignal,
  ): Promise<GenerationResult> {
    const { state, endIds } = this.#model;
    const began = performance.now();
    const reusedTokens = this.#goBackTo(prompt);
    let logits = await this.#readPrompt(prompt, signal);
    const read = performance.now();

    const limit = Math.min(settings.maxTokens ?? Infinity, state.maxTokens - prompt.length);
    const pieces = new PieceMaker(settings, this.#model.tokenBytes(), emit);
    const sampler = new Sampler(settings);
    const seen = new Set(settings.repetitionPenalty === 1 ? [] : prompt);
    let finish: GenerationResult['finish'] = 'length';
    for (let count = 0; count < limit;) {
      const logprobOf = pieces.logprobs(logits);
      const id = sampler.take(logits, seen);
      if (endIds.has(id)) {
        finish = 'end';
        break;
      }
      seen.add(id);
      this.#ids.push(id);
      count += 1;
      if (pieces.push({ id, logprob: logprobOf?.(id) })) {
        finish = 'stop';
        break;
      }
      if (count < limit) logits = await this.#read(this.#ids.slice(-1), signal);
    }
    const { text, ids } = pieces.finish();
    const decodeMilliseconds = performance.now() - read;
    const counts = { promptTokens: prompt.length, reusedTokens };
    return { text, ids, finish, ...counts, prefillMilliseconds: read - began, decodeMilliseconds };
  }

  /**
   * Keeps the longest part of the state that the prompt begins with, and returns its length: any prefix where the caches can go back,
   * and otherwise all or nothing. The last token of the prompt is always read again, for its logits.
   */
  #goBackTo(prompt: readonly number[]): number {
    let common = 0;
    const most = Math.min(this.#past, prompt.length - 1);
    while (common < most && this.#ids[common] === prompt[common]) common += 1;
    this.#past = common === this.#past || this.#model.state.rewinds ? common : 0;
    this.#ids = prompt.slice(0, this.#past);
    return this.#past;
  }
  /** Reads what the state lacks of the prompt; the logits of its last token. */
  async #readPrompt(prompt: readonly number[], signal: AbortSignal): Promise<Float32Array<ArrayBuffer>> {
    for (;;) {
      const logits = await this.#read(prompt.slice(this.#past, this.#past + this.#model.state.chunk), signal);
      this.#ids = prompt.slice(0, this.#past);
      if (this.#past === prompt.length) return logits;
    }
  }
  /** Reads tokens into the state. Where that fails or is aborted, the session is as before them, or empty. */
  async #read(ids: readonly number[], signal: AbortSignal): Promise<Float32Array<ArrayBuffer>> {
    const { rewinds } = this.#model.state;
    let [started, read] = [false, false];
    try {
      const logits = await this.#withState((state) => {
        signal.throwIfAborted();
        return readTokens(this.#model, {
          entry: entryFor(ids),
          state,
          ids,
          past: this.#past,
          // A cache that drops or sorts tokens is of no use when a call has stopped in the middle; one token is soon read to its end.
          signal: rewinds || ids.length > 1 ? signal : undefined,
          onStart: () => {
            started = true;
          },
        });
      }, signal);
      read = true;
      this.#past += ids.length;
      signal.throwIfAborted();
      return logits;
    } catch (error) {
      if (started && !read && !rewinds) {
        this.#past = 0;
        this.#ids = [];
      }
      throw error;
    }
  }
}

/** Tokens to pieces of text, with their log probabilities. */
class PieceMaker {
  readonly #answer: Answer<AnswerToken>;
  readonly #bytes: TokenBytes | undefined;
  readonly #count: number | undefined;
  readonly #emit: (piece: GeneratedPiece) => void;
  readonly #ids: number[] = [];
  #text = '';

  constructor({ stops, logprobs }: GenerationSettings, bytes: TokenBytes | undefined, emit: (piece: GeneratedPiece) => void) {
    this.#answer = new Answer(stops);
    this.#bytes = bytes;
    this.#count = logprobs;
    this.#emit = emit;
  }

  /** What the logits say of a token, where that was asked for; to be called before they are changed. */
  logprobs(logits: Float32Array): ((id: number) => Logprob) | undefined {
    if (this.#count === undefined) return undefined;
    const { top, of } = probabilities(logits, this.#count);
    const named = (id: number, logprob: number): TokenLogprob => ({ id, text: this.#bytes?.textOf(id) ?? '', logprob });
    return (id) => ({ ...named(id, of(id)), top: top.map((each) => named(each.id, each.logprob)) });
  }
  /** Gives out what can be given out; returns whether a stop string has come. */
  push(token: AnswerToken): boolean {
    this.#give(this.#answer.push(token, this.#bytes?.of(token.id) ?? new Uint8Array()));
    return this.#answer.stopped;
  }
  finish(): { readonly text: string; readonly ids: readonly number[] } {
    if (!this.#answer.stopped) this.#give(this.#answer.finish());
    return { text: this.#text, ids: this.#ids };
  }

  #give({ text, tokens }: Released<AnswerToken>): void {
    if (text === '' && tokens.length === 0) return;
    const ids = tokens.map(({ id }) => id);
    const logprobs = tokens.flatMap(({ logprob }) => logprob ?? []);
    this.#text += text;
    this.#ids.push(...ids);
    this.#emit({ text, ids, ...(this.#count === undefined ? {} : { logprobs }) });
  }
}

/** A signal that aborts with the first of several, and stops listening to them after `release`: sessions outlive their calls. */
function anyOf(signals: readonly (AbortSignal | undefined)[]): { readonly signal: AbortSignal; readonly release: () => void } {
  const controller = new AbortController();
  const given = signals.filter((signal) => signal !== undefined);
  const listeners = given.map((signal) => {
    const abort = (): void => controller.abort(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    return { signal, abort };
  });
  const release = (): void => {
    for (const { signal, abort } of listeners) signal.removeEventListener('abort', abort);
  };
  return { signal: controller.signal, release };
}
function disposed(): AtpcError {
  return new AtpcError('ATPC-606', 'The session was disposed of.');
}
