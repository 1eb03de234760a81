/** Times of one package that generates: reading a long text chunk by chunk, and decoding at several lengths. */
import { packSparse, unpackSparse } from '../runtime/backends/sparse-bytes.ts';
import type { StepTime } from '../runtime/api.ts';
import type { EntryPointName } from '../runtime/format/program.ts';
import { spreadOf, stepMedians } from '../compiler/cli/measure.ts';
import { openPackage, type OpenPackage } from './open-package.ts';

/** Lengths that figures are given for; the first is what the others are held against. */
export const lengths = [2048, 8192, 32_768] as const;
const decodeLengths = [512, ...lengths] as const;
const decodedTokens = 64;
/** Tokens that are timed together: the median of their chunks counts for all of them, so that other programs disturb little. */
export const stretchTokens = 2048;
/** Chunks that are timed at each place, where the text is not read as a whole. */
const sampledChunks = 3;
/** Chunks before a length whose kernels are timed. */
const profiledCalls = 8;

export interface KernelTime {
  readonly kernel: string;
  readonly dispatches: number;
  readonly milliseconds: number;
}
export interface Profile {
  readonly entry: EntryPointName;
  readonly past: number;
  readonly kernels: readonly KernelTime[];
}
/** A call that began at `past`. */
export interface CallTime {
  readonly past: number;
  /** From the call to its result. */
  readonly milliseconds: number;
  /** Processor time of all threads, which other programs disturb least. */
  readonly processorMilliseconds: number;
}
export interface GenerationTimes {
  readonly threads: number;
  readonly chunk: number;
  /** Whether every token was read; else chunks at some places, over copies of the first keys and values. */
  readonly wholeText: boolean;
  readonly chunks: readonly CallTime[];
  readonly decode: readonly CallTime[];
  readonly profiles: readonly Profile[];
  readonly stateBytes: number;
  /** What the manifest says of it, and what the memory grew to. */
  readonly formulaBytes: number;
  readonly peakBytes: number;
}

export interface TimesOptions {
  readonly threads: number;
  readonly profile: boolean;
  readonly text: string;
  readonly tokens: number;
  readonly progress: (text: string) => void;
}

export async function measureGeneration(folder: string, options: TimesOptions): Promise<GenerationTimes> {
  let steps: readonly StepTime[] = [];
  const opened = await openPackage(folder, options.threads, options.profile ? (times) => void (steps = times) : undefined);
  try {
    return await new Reading(opened, options, () => steps).all();
  } finally {
    await opened.backend.dispose();
  }
}

class Reading {
  readonly #opened: OpenPackage;
  readonly #options: TimesOptions;
  readonly #steps: () => readonly StepTime[];
  readonly #ids: readonly number[];
  readonly #chunks: CallTime[] = [];
  readonly #decode: CallTime[] = [];
  readonly #profiled = new Map<string, { entry: EntryPointName; past: number; runs: (readonly StepTime[])[] }>();
  #state = 0;

  constructor(opened: OpenPackage, options: TimesOptions, steps: () => readonly StepTime[]) {
    this.#opened = opened;
    this.#options = options;
    this.#steps = steps;
    this.#ids = opened.ids(options.text);
  }

  async all(): Promise<GenerationTimes> {
    const { target, state, backend } = this.#opened;
    const { threads, tokens } = this.#options;
    this.#state = await backend.openState();
    if (state.rewinds) await this.#sample(tokens);
    else await this.#read(tokens);
    return {
      ...{ threads, chunk: state.chunk, wholeText: !state.rewinds },
      ...{ chunks: this.#chunks, decode: this.#decode, profiles: this.#profiles() },
      stateBytes: target.stateBytes,
      formulaBytes: Number(target.memory.total),
      peakBytes: backend.peakMemoryBytes,
    };
  }

  /** The whole text, and a few tokens decoded on the way, after which the state is put back. */
  async #read(tokens: number): Promise<void> {
    const { chunk } = this.#opened.state;
    for (let past = 0; past < tokens; past += chunk) {
      if (decodeLengths.some((length) => past === placeOf(length, tokens, chunk))) {
        const saved = await this.#opened.backend.readState(this.#state);
        await this.#decodeAt(past);
        await this.#putBack(saved);
      }
      await this.#chunk(past);
    }
  }

  /**
   * The first stretch, then chunks at some places: the time of dense attention does not depend on what the keys are, and all of a
   * long text takes an hour. What was not read is filled with copies of the keys and values of the first stretch.
   */
  async #sample(tokens: number): Promise<void> {
    const { chunk } = this.#opened.state;
    const decodes = decodeLengths.map((length) => placeOf(length, tokens, chunk));
    for (let past = 0; past < Math.min(stretchTokens, tokens); past += chunk) await this.#chunk(past);
    await this.#copyRows(stretchTokens, tokens);
    for (let end = stretchTokens; end <= tokens; end += end < 4 * stretchTokens ? stretchTokens : 2 * stretchTokens) {
      for (let i = 0; end > stretchTokens && i < sampledChunks; i++) await this.#chunk(end - chunk);
      this.#options.progress(`at ${end} tokens`);
      for (const past of decodes.filter((place) => place <= end && !this.#decode.some((done) => done.past === place)))
        await this.#decodeAt(past);
    }
  }
  async #copyRows(from: number, to: number): Promise<void> {
    const { backend, program } = this.#opened;
    const bytes = new Uint8Array(this.#opened.target.stateBytes);
    unpackSparse(await backend.readState(this.#state), bytes);
    for (const buffer of program.buffers.filter((candidate) => candidate.class === 'state')) {
      const { layers } = this.#opened.manifest.attention;
      const kvHeads = Math.max(...layers.flatMap(({ heads }) => heads.map((group) => group.kvHeads.length)));
      const head = Number(buffer.bytes) / kvHeads;
      const row = head / this.#opened.state.maxTokens;
      for (let h = 0; h < kvHeads; h++) {
        const start = Number(buffer.offset) + h * head;
        for (let at = from; at < to; at += from) bytes.copyWithin(start + at * row, start, start + Math.min(from, to - at) * row);
      }
    }
    await this.#putBack(packSparse(bytes));
  }
  /** A state is written once, before its first call. */
  async #putBack(saved: Uint8Array<ArrayBuffer>): Promise<void> {
    const { backend } = this.#opened;
    backend.closeState(this.#state);
    this.#state = await backend.openState();
    await backend.writeState(this.#state, saved);
  }

  async #chunk(past: number): Promise<void> {
    const { chunk } = this.#opened.state;
    const time = await this.#call('prefill', past, chunk);
    this.#chunks.push(time);
    const length = lengths.find((each) => past >= each - profiledCalls * chunk && past < each);
    if (length !== undefined) this.#keepProfile('prefill', length);
    const { milliseconds, processorMilliseconds } = time;
    if (past % stretchTokens === 0)
      this.#options.progress(
        `${past} tokens: ${milliseconds.toFixed(0)} ms a chunk of ${chunk}, ${processorMilliseconds.toFixed(0)} of processors`,
      );
  }
  async #decodeAt(past: number): Promise<void> {
    for (let i = 0; i < decodedTokens; i++) {
      this.#decode.push({ ...(await this.#call('decode', past + i, 1)), past });
      this.#keepProfile('decode', past);
    }
  }
  async #call(entry: EntryPointName, past: number, count: number): Promise<CallTime> {
    const ids = Int32Array.from({ length: count }, (_, i) => this.#ids[(past + i) % this.#ids.length] ?? 0);
    const positions = Int32Array.from(ids, (_, i) => past + i);
    const dims = entry === 'decode' ? { past } : { seq: count, past };
    const tensors = [
      { name: 'input_ids', data: ids },
      { name: 'position_ids', data: positions },
    ];
    const [used, began] = [process.cpuUsage(), performance.now()];
    await this.#opened.backend.run({ entry, state: this.#state, dims, tensors });
    const milliseconds = performance.now() - began;
    const { user, system } = process.cpuUsage(used);
    return { past, milliseconds, processorMilliseconds: (user + system) / 1000 };
  }
  #keepProfile(entry: EntryPointName, past: number): void {
    if (!this.#options.profile) return;
    const key = `${entry} ${past}`;
    const kept = this.#profiled.get(key) ?? { entry, past, runs: [] };
    kept.runs.push(this.#steps());
    this.#profiled.set(key, kept);
  }
  #profiles(): readonly Profile[] {
    return [...this.#profiled.values()].map(({ entry, past, runs }) => {
      const dispatches = this.#opened.dispatches(entry);
      const kernels = new Map<string, KernelTime>();
      for (const [step, { median }] of stepMedians(runs)) {
        const kernel = dispatches[step]?.kernel ?? `step ${step}`;
        const known = kernels.get(kernel) ?? { kernel, dispatches: 0, milliseconds: 0 };
        kernels.set(kernel, { kernel, dispatches: known.dispatches + 1, milliseconds: known.milliseconds + median });
      }
      return { entry, past, kernels: [...kernels.values()].sort((a, b) => b.milliseconds - a.milliseconds) };
    });
  }
}

/** Where tokens are decoded for a length: there, or as far as they fit. */
function placeOf(length: number, tokens: number, chunk: number): number {
  return length < tokens ? length : tokens - chunk;
}

const medianOf = (values: readonly number[]): number => spreadOf(values).median;

/** What is compared: time from outside, or processor time. */
export type Measure = Exclude<keyof CallTime, 'past'>;

/** Milliseconds a token around a length: the median of the chunks of the stretch that ends there. */
export function marginalAt({ chunks, chunk, wholeText }: GenerationTimes, length: number, measure: Measure): number {
  const from = wholeText || length === stretchTokens ? length - stretchTokens : length - chunk;
  return medianOf(chunks.filter(({ past }) => past >= from && past < length).map((time) => time[measure])) / chunk;
}
/** Milliseconds a token over the first tokens: the stretches added up, those that were not measured by the line between others. */
export function averageTo(times: GenerationTimes, length: number, measure: Measure): number {
  const { chunks, chunk, wholeText } = times;
  let sum = marginalAt(times, stretchTokens, measure) * stretchTokens;
  if (wholeText) {
    for (let end = 2 * stretchTokens; end <= length; end += stretchTokens) sum += marginalAt(times, end, measure) * stretchTokens;
    return sum / length;
  }
  const ends = [...new Set(chunks.map(({ past }) => past + chunk))].filter((end) => end > stretchTokens && end <= length);
  const last = chunks.filter(({ past }) => past >= stretchTokens - 2 * chunk && past < stretchTokens);
  let [before, time] = [stretchTokens, medianOf(last.map((one) => one[measure])) / chunk];
  for (const end of ends) {
    const next = marginalAt(times, end, measure);
    sum += ((time + next) / 2) * (end - before);
    [before, time] = [end, next];
  }
  return sum / length;
}
export function decodeAt({ decode, chunk }: GenerationTimes, length: number, tokens: number, measure: Measure): number {
  const place = placeOf(length, tokens, chunk);
  // A quarter of the calls were faster: two threads that share a processor with something else wait for each other at every
  // dispatch, which says nothing of the program.
  const times = decode.filter(({ past }) => past === place).map((time) => time[measure]);
  return times.sort((a, b) => a - b)[Math.floor(times.length / 4)] ?? NaN;
}
export { decodeLengths };
