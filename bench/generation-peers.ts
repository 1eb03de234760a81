/**
 * Who is measured on SmolLM2: packages of atpc, llama.cpp (npm's node-llama-cpp) and wllama, which is llama.cpp as WebAssembly and runs in
 * a browser. A peer is a row of the table below. All take the same GGUF file, greedy decoding and the same number of threads.
 */
import { pathToFileURL } from 'node:url';
import type { GenerationResult, LoadOptions, Model } from '../runtime/api.ts';
import { loadWllama } from './wllama.ts';

export interface GenerationFiles {
  readonly gguf: string;
  /** Folders of packages that were compiled from it. */
  readonly packages: { readonly [K in PackageName]: string };
  /** Tokens that a session must hold. */
  readonly longest: number;
}
export interface Prompt {
  readonly text: string;
  /** Token ids of the text, by the package's tokenizer, for those who take ids. */
  readonly ids: readonly number[];
}
export type PackageName = 'dense' | 'hybrid';

/** What a peer did with a prompt. */
export interface Continued {
  /** Tokens of the prompt that were read now. */
  readonly read: number;
  readonly prefillMilliseconds: number;
  /** Tokens that were generated, and the time of all of them but the first, which comes with the prompt. */
  readonly generated: number;
  readonly decodeMilliseconds: number;
  readonly text: string;
}
export interface LoadedGenerationPeer {
  readonly version: string;
  /** Forgets what was read, reads the prompt and generates `count` tokens. */
  begin(prompt: Prompt, count: number): Promise<Continued>;
  /** Generates `count` more tokens after all that was read and generated. */
  goOn(count: number): Promise<Continued>;
}
interface GenerationPeer {
  readonly label: string;
  /** Which way of keeping a text: approximate ones need not say what the others say. */
  readonly attention: PackageName;
  /** The longest prompt that it is asked to read: beyond, it takes too long. */
  readonly longest: number;
  load(files: GenerationFiles, threads: number): Promise<LoadedGenerationPeer>;
}

const greedy = { temperature: 0 } as const;

async function loadAtpc(
  folder: string,
  backend: NonNullable<LoadOptions['backend']>,
  threads: number,
): Promise<LoadedGenerationPeer> {
  const { load } = (await import(pathToFileURL(`${folder}/index.js`).href)) as { load(options: LoadOptions): Promise<Model> };
  const model = await load({ backend, threads });
  const info = model.info();
  if (info.threads.used !== threads) throw new Error(`The package uses ${info.threads.used} threads: ${info.threads.why}.`);
  let session = model.session();
  const run = async (prompt: readonly number[], count: number): Promise<Continued> => {
    const result: GenerationResult = await session.generate(prompt, { ...greedy, maxTokens: count }).result;
    return {
      read: result.promptTokens - result.reusedTokens,
      prefillMilliseconds: result.prefillMilliseconds,
      generated: result.ids.length,
      decodeMilliseconds: result.decodeMilliseconds,
      text: result.text,
    };
  };
  return {
    version: info.compilerVersion,
    begin({ ids }, count) {
      session.dispose();
      session = model.session();
      return run(ids, count);
    },
    goOn: (count) => run(session.ids, count),
  };
}

/** What is used of node-llama-cpp's API. */
interface LlamaSequence {
  readonly nextTokenIndex: number;
  readonly contextTokens: readonly number[];
  clearHistory(): Promise<void>;
  evaluateWithoutGeneratingNewTokens(tokens: readonly number[]): Promise<void>;
  evaluate(tokens: readonly number[], options: { readonly temperature: number }): AsyncIterable<number>;
}
interface LlamaModel {
  detokenize(tokens: readonly number[]): string;
  createContext(options: object): Promise<{ getSequence(): LlamaSequence }>;
}
interface LlamaModule {
  getLlama(options: object): Promise<{
    readonly llamaCppRelease: { readonly release: string };
    loadModel(options: object): Promise<LlamaModel>;
  }>;
}

async function loadLlama({ gguf, longest }: GenerationFiles, threads: number): Promise<LoadedGenerationPeer> {
  const name = 'node-llama-cpp';
  const { getLlama } = (await import(name)) as LlamaModule;
  // Its own binaries for this processor; nothing is fetched or built.
  const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: 'error', maxThreads: threads });
  const model = await llama.loadModel({ modelPath: gguf });
  const context = await model.createContext({
    contextSize: longest,
    batchSize: 512,
    threads,
    flashAttention: true,
    ignoreMemorySafetyChecks: true,
  });
  const sequence = context.getSequence();
  const decode = async (last: number, count: number, read: number, prefillMilliseconds: number): Promise<Continued> => {
    const generated: number[] = [];
    let began = performance.now();
    for await (const token of sequence.evaluate([last], greedy)) {
      if (generated.length === 0) began = performance.now();
      generated.push(token);
      if (generated.length >= count) break;
    }
    const decodeMilliseconds = performance.now() - began;
    next = generated.at(-1) ?? last;
    return { read, prefillMilliseconds, generated: generated.length, decodeMilliseconds, text: model.detokenize(generated) };
  };
  let next = 0;
  return {
    version: llama.llamaCppRelease.release,
    async begin({ ids }, count) {
      await sequence.clearHistory();
      const began = performance.now();
      // The last token of the prompt is read with the first that is generated.
      await sequence.evaluateWithoutGeneratingNewTokens(ids.slice(0, -1));
      return decode(ids.at(-1) ?? 0, count, ids.length, performance.now() - began);
    },
    goOn: (count) => decode(next, count, 0, 0),
  };
}

export const generationPeers = {
  wasmDense: {
    label: 'atpc wasm, dense',
    attention: 'dense',
    longest: 8192,
    load: ({ packages }, threads) => loadAtpc(packages.dense, 'wasm', threads),
  },
  wasmHybrid: {
    label: 'atpc wasm, hybrid',
    attention: 'hybrid',
    longest: Infinity,
    load: ({ packages }, threads) => loadAtpc(packages.hybrid, 'wasm', threads),
  },
  nativeDense: {
    label: 'atpc native, dense',
    attention: 'dense',
    longest: Infinity,
    load: ({ packages }, threads) => loadAtpc(packages.dense, 'native', threads),
  },
  nativeHybrid: {
    label: 'atpc native, hybrid',
    attention: 'hybrid',
    longest: Infinity,
    load: ({ packages }, threads) => loadAtpc(packages.hybrid, 'native', threads),
  },
  llama: { label: 'llama.cpp', attention: 'dense', longest: Infinity, load: loadLlama },
  wllama: { label: 'wllama', attention: 'dense', longest: 2048, load: loadWllama },
} as const satisfies Readonly<Record<string, GenerationPeer>>;
export type GenerationPeerName = keyof typeof generationPeers;
export const generationPeerNames = Object.keys(generationPeers) as readonly GenerationPeerName[];
