/** The process of one peer with one number of threads: loads the model, then does what its parent asks (peer-process.ts). */
import { answerRequests } from './answer-requests.ts';
import { peers, type ForwardPass, type LoadedPeer, type ModelFiles, type PeerName, type TokenInputs } from './peers.ts';

export interface RunnerSettings {
  readonly peer: PeerName;
  readonly threads: number;
  readonly files: ModelFiles;
}
export type Requests = {
  readonly load: { readonly ask: RunnerSettings; readonly reply: { readonly version: string } };
  /** Takes other inputs, and gives what the model makes of them. */
  readonly prepare: { readonly ask: TokenInputs; readonly reply: FirstRun };
  /** `untimed` runs, then `runs` runs that count. */
  readonly time: { readonly ask: { readonly untimed: number; readonly runs: number }; readonly reply: RunTimes };
};
export interface FirstRun {
  readonly output: Float32Array;
  readonly milliseconds: number;
}
export interface RunTimes {
  readonly milliseconds: readonly number[];
  /** Processor time of the whole process over the time that passed: how many cores it kept busy. */
  readonly coresBusy: number;
}

let loaded: LoadedPeer | undefined;
let run: ForwardPass | undefined;

answerRequests<Requests>({
  load: async ({ peer, threads, files }) => {
    loaded = await peers[peer].load(files, threads);
    return { version: loaded.version };
  },
  prepare: async (inputs) => {
    if (loaded === undefined) throw new Error('There are inputs before there is a model.');
    run = loaded.prepare(inputs);
    const before = performance.now();
    const output = await run();
    return { output, milliseconds: performance.now() - before };
  },
  time: async ({ untimed, runs }) => {
    if (run === undefined) throw new Error('There is nothing to time yet.');
    for (let index = 0; index < untimed; index += 1) await run();
    const milliseconds: number[] = [];
    const [used, began] = [process.cpuUsage(), performance.now()];
    for (let index = 0; index < runs; index += 1) {
      const before = performance.now();
      await run();
      milliseconds.push(performance.now() - before);
    }
    const { user, system } = process.cpuUsage(used);
    return { milliseconds, coresBusy: (user + system) / 1000 / (performance.now() - began) };
  },
});
