/**
 * What is measured: packages of atpc, and ONNX Runtime in the two forms that Node programs use. A peer is a row of the table
 * below. The peers' packages are dependencies of bench/ alone and are typed here by the little that is used of them, so that
 * the project type-checks without them.
 */
import { pathToFileURL } from 'node:url';
import type { LoadOptions, Model } from '../runtime/api.ts';

export interface ModelFiles {
  /** Folder of a compiled package. */
  readonly package: string;
  /** The same model as an ONNX file. */
  readonly graph: string;
}
/** Token ids of `batch` sequences of `tokens` each, without padding. */
export interface TokenInputs {
  readonly batch: number;
  readonly tokens: number;
  /** [batch, tokens] */
  readonly ids: Int32Array;
}
/** Gives the last hidden states [batch, tokens, width]. */
export type ForwardPass = () => Promise<Float32Array>;
export interface LoadedPeer {
  readonly version: string;
  /** Takes the inputs in the form that the peer wants, which is no part of its time. */
  prepare(inputs: TokenInputs): ForwardPass;
}
interface Peer {
  readonly label: string;
  /** The peer of atpc that is of its kind, and whose time it is held against; null for those of atpc. */
  readonly against: 'wasm' | 'native' | null;
  load(files: ModelFiles, threads: number): Promise<LoadedPeer>;
}

/** What is used of onnxruntime-common's API. */
interface OnnxSession {
  run(feeds: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, { readonly data: unknown } | undefined>>>;
}
interface OnnxRuntime {
  readonly env: {
    readonly versions: Readonly<Record<string, string | undefined>>;
    readonly wasm: { numThreads?: number };
  };
  readonly Tensor: new (type: 'int64', data: BigInt64Array, shape: readonly number[]) => unknown;
  readonly InferenceSession: { create(file: string, options: object): Promise<OnnxSession> };
}

async function loadOnnxRuntime(
  form: 'web' | 'node',
  provider: 'wasm' | 'cpu',
  graph: string,
  threads: number,
): Promise<LoadedPeer> {
  const runtime = (await import(`onnxruntime-${form}`)) as OnnxRuntime;
  // The web form has a thread pool for all sessions, the other one for each session; each ignores the other's setting.
  runtime.env.wasm.numThreads = threads;
  const session = await runtime.InferenceSession.create(graph, {
    executionProviders: [provider],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
  });
  if (runtime.env.wasm.numThreads !== threads) throw new Error(`onnxruntime-${form} has no ${threads} threads here.`);
  return {
    version: runtime.env.versions[form] ?? 'unknown',
    prepare({ batch, tokens, ids }) {
      const tensor = (value: (index: number) => number) =>
        new runtime.Tensor(
          'int64',
          BigInt64Array.from(ids, (_, index) => BigInt(value(index))),
          [batch, tokens],
        );
      const feeds = {
        input_ids: tensor((index) => ids[index] ?? 0),
        attention_mask: tensor(() => 1),
        token_type_ids: tensor(() => 0),
      };
      return async () => {
        const hidden = (await session.run(feeds))['last_hidden_state']?.data;
        if (!(hidden instanceof Float32Array)) throw new Error('The ONNX graph has no output last_hidden_state of floats.');
        return hidden;
      };
    },
  };
}

async function loadAtpc(folder: string, backend: 'wasm' | 'native', threads: number): Promise<LoadedPeer> {
  const { load } = (await import(pathToFileURL(`${folder}/index.js`).href)) as {
    load(options: LoadOptions): Promise<Model>;
  };
  const model = await load({ backend, threads });
  const info = model.info();
  if (info.threads.used !== threads) throw new Error(`The package uses ${info.threads.used} threads: ${info.threads.why}.`);
  return {
    version: info.compilerVersion,
    prepare({ batch, tokens, ids }) {
      const inputs = { input_ids: { data: ids, shape: [batch, tokens] } };
      return async () => {
        const hidden = (await model.run(inputs))['last_hidden_state']?.data;
        if (!(hidden instanceof Float32Array)) throw new Error('The package has no output last_hidden_state of floats.');
        return hidden;
      };
    },
  };
}

export const peers = {
  wasm: { label: 'atpc wasm', against: null, load: (files, threads) => loadAtpc(files.package, 'wasm', threads) },
  native: { label: 'atpc native', against: null, load: (files, threads) => loadAtpc(files.package, 'native', threads) },
  onnxWeb: {
    label: 'onnxruntime-web wasm',
    against: 'wasm',
    load: (files, threads) => loadOnnxRuntime('web', 'wasm', files.graph, threads),
  },
  onnxNode: {
    label: 'onnxruntime-node cpu',
    against: 'native',
    load: (files, threads) => loadOnnxRuntime('node', 'cpu', files.graph, threads),
  },
} as const satisfies Readonly<Record<string, Peer>>;
export type PeerName = keyof typeof peers;
export const peerNames = Object.keys(peers) as readonly PeerName[];
