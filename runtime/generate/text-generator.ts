import type { ChatMessage, Generation, Session } from '../api.ts';
import { AtpcError } from '../errors.ts';
import { currentPlatform } from '../platform/platform.ts';
import type { CreateGeneration, GenerationContext, GenerationFeature } from './feature.ts';
import { StartedOnDemand } from './generation.ts';
import { checkIds, checkLength, checkMessages } from './prompt.ts';
import { packSession, unpackSession, type SavedFor } from './saved-session.ts';
import { score } from './score.ts';
import { GeneratingSession, type SessionModel } from './session.ts';
import { checkSettings } from './settings.ts';
import { TokenBytes } from './token-bytes.ts';

/** Messages to the text of a prompt. */
export interface ChatRenderer {
  render(messages: readonly ChatMessage[], variables: Readonly<Record<string, unknown>>): string;
}
/** Takes the parsed tokenizer_config.json. */
export type CreateChatRenderer = (config: object) => ChatRenderer;

/** The feature for packages with a chat template, or without one. */
export function textGeneration(createChat: CreateChatRenderer | null): CreateGeneration {
  return (context) => new TextGenerator(context, createChat);
}

class TextGenerator implements GenerationFeature {
  readonly #context: GenerationContext;
  readonly #createChat: CreateChatRenderer | null;
  readonly #model: SessionModel;
  readonly #savedFor: SavedFor;
  #chat: ChatRenderer | undefined;
  #tokenBytes: TokenBytes | undefined;

  constructor(context: GenerationContext, createChat: CreateChatRenderer | null) {
    const { manifest, target, backend, queue } = context;
    const { task } = manifest;
    if (task.kind !== 'generate' || manifest.state === null)
      throw new AtpcError('ATPC-403', `The model '${manifest.name}' does not generate.`);
    const state = { ...manifest.state, bytes: target.stateBytes };
    this.#context = context;
    this.#savedFor = { modelHash: manifest.modelHash, files: manifest.files, program: target.program };
    this.#createChat = createChat;
    this.#model = {
      backend,
      queue,
      output: task.output,
      state,
      endIds: new Set(task.endIds),
      tokenBytes: () => this.#bytes(),
      promptIds: (prompt) => checkLength(this.#idsOf(prompt, task.vocabulary), state, manifest.attention),
      chatIds: (messages, { variables = {} }) => this.#chatIds(messages, variables),
      settings: (call, options) => {
        const settings = checkSettings(call, options, call === 'chat' ? ['variables'] : []);
        if (settings.stops.length > 0) this.#needTokenizer();
        return settings;
      },
      run: context.run,
      save: (session) => packSession(session, this.#savedFor, (bytes) => currentPlatform().sha256(bytes)),
    };
  }

  session(): GeneratingSession {
    return new GeneratingSession(this.#model);
  }
  alone(use: (session: Session) => Generation): Generation {
    const session = this.session();
    const generation = use(session);
    return new StartedOnDemand(async (emit, signal) => {
      const stop = (): void => session.dispose();
      signal.addEventListener('abort', stop, { once: true });
      try {
        for await (const piece of generation) emit(piece);
        return await generation.result;
      } finally {
        session.dispose();
      }
    });
  }
  async restore(bytes: Uint8Array): Promise<GeneratingSession> {
    const saved = await unpackSession(bytes, this.#savedFor, (part) => currentPlatform().sha256(part));
    const session = this.session();
    try {
      await session.restore(saved);
      return session;
    } catch (error) {
      session.dispose();
      throw error;
    }
  }
  score: GenerationFeature['score'] = (inputs, signal) => score(this.#model, inputs, signal);

  #needTokenizer(): NonNullable<GenerationContext['tokenizer']> {
    const { tokenizer, manifest } = this.#context;
    if (tokenizer) return tokenizer;
    throw new AtpcError('ATPC-605', `The model '${manifest.name}' takes token ids only: its package has no tokenizer.`, {
      hint: 'Give the prompt as an array of token ids, or compile a model that has a tokenizer.',
    });
  }
  #bytes(): TokenBytes | undefined {
    const { tokenizer } = this.#context;
    return (this.#tokenBytes ??= tokenizer && new TokenBytes(tokenizer.json));
  }

  #idsOf(prompt: unknown, vocabulary: number): readonly number[] {
    return typeof prompt === 'string' ? this.#needTokenizer().idsOf(prompt, true) : checkIds(prompt, vocabulary);
  }
  #chatIds(messages: unknown, variables: Readonly<Record<string, unknown>>): readonly number[] {
    const { manifest } = this.#context;
    const given = checkMessages(messages);
    const tokenizer = this.#needTokenizer();
    if (this.#createChat === null) {
      throw new AtpcError('ATPC-605', `The model '${manifest.name}' has no chat template.`, {
        hint: 'Write the prompt as its makers say, and use generate.',
      });
    }
    this.#chat ??= this.#createChat(tokenizer.config);
    const ids = tokenizer.idsOf(this.#chat.render(given, variables), false);
    return checkLength(ids, this.#model.state, manifest.attention);
  }
}
