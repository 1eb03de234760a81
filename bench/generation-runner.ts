/** The process of one peer on SmolLM2: loads it, then reads and generates what its parent asks (peer-process.ts). */
import { answerRequests } from './answer-requests.ts';
import {
  generationPeers,
  type Continued,
  type GenerationFiles,
  type GenerationPeerName,
  type LoadedGenerationPeer,
  type Prompt,
} from './generation-peers.ts';

export interface GenerationSettings {
  readonly peer: GenerationPeerName;
  readonly threads: number;
  readonly files: GenerationFiles;
}
export type GenerationRequests = {
  readonly load: { readonly ask: GenerationSettings; readonly reply: { readonly version: string } };
  readonly begin: { readonly ask: { readonly prompt: Prompt; readonly count: number }; readonly reply: Continued };
  readonly goOn: { readonly ask: { readonly count: number }; readonly reply: Continued };
};

let loaded: LoadedGenerationPeer | undefined;
function needLoaded(): LoadedGenerationPeer {
  if (loaded === undefined) throw new Error('There is a prompt before there is a model.');
  return loaded;
}

answerRequests<GenerationRequests>({
  load: async ({ peer, threads, files }) => {
    loaded = await generationPeers[peer].load(files, threads);
    return { version: loaded.version };
  },
  begin: async ({ prompt, count }) => needLoaded().begin(prompt, count),
  goOn: async ({ count }) => needLoaded().goOn(count),
});
