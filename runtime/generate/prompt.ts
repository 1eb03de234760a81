import type { ChatMessage } from '../api.ts';
import { AtpcError } from '../errors.ts';
import type { Manifest, ManifestState } from '../format/manifest.ts';

/** What a session keeps, on the target that it runs on. */
export interface SessionState extends ManifestState {
  readonly bytes: number;
}

/** Throws ATPC-601 for what is neither text nor ids, and ATPC-604 for an id outside the vocabulary. */
export function checkIds(prompt: unknown, vocabulary: number): readonly number[] {
  if (!Array.isArray(prompt) || !prompt.every((id) => Number.isInteger(id)))
    throw new AtpcError('ATPC-601', 'A prompt is a text or an array of token ids.');
  const ids = prompt as readonly number[];
  const at = ids.findIndex((id) => id < 0 || id >= vocabulary);
  if (at < 0) return ids;
  throw new AtpcError('ATPC-604', `The prompt has the id ${ids[at]} at position ${at}; ids go from 0 to ${vocabulary - 1}.`, {
    hint: 'Was it made by the tokenizer of another model?',
  });
}

/** Throws ATPC-601 for anything but messages with a role and a content, and for none. */
export function checkMessages(messages: unknown): readonly ChatMessage[] {
  const isMessage = (message: unknown): boolean =>
    typeof message === 'object' &&
    message !== null &&
    'role' in message &&
    typeof message.role === 'string' &&
    'content' in message &&
    typeof message.content === 'string';
  if (!Array.isArray(messages) || messages.length === 0)
    throw new AtpcError('ATPC-601', 'chat takes an array of messages, at least one.', {
      hint: "For one, chat([{ role: 'user', content: 'Hello' }]).",
    });
  const wrong = messages.findIndex((message) => !isMessage(message));
  if (wrong < 0) return messages as readonly ChatMessage[];
  throw new AtpcError('ATPC-601', `The message ${wrong} of chat has no role and content that are texts.`);
}

/** A prompt has to leave room for at least one token. Throws ATPC-601 for none, and ATPC-603 for more than fit. */
export function checkLength(ids: readonly number[], state: SessionState, attention: Manifest['attention']): readonly number[] {
  if (ids.length === 0) throw new AtpcError('ATPC-601', 'The prompt has no tokens.');
  if (ids.length < state.maxTokens) return ids;
  throw new AtpcError(
    'ATPC-603',
    `The prompt has ${ids.length} tokens; the model holds at most ${state.maxTokens}, prompt and answer together.`,
    { hint: `Shorten it, or compile the model again with ${longerPlan(ids.length + 1, state, attention)}.` },
  );
}
/** What a package would need that takes so many tokens. */
function longerPlan(tokens: number, state: SessionState, { layers }: Manifest['attention']): string {
  const beyond = tokens > state.trainedTokens ? ` --beyond-trained-context (it was trained for ${state.trainedTokens})` : '';
  const heads = layers.flatMap((layer) => layer.heads);
  if (!heads.every(({ mode }) => mode === 'dense')) return `--max-seq ${tokens}${beyond}`;
  const dense = (state.bytes / state.maxTokens) * tokens;
  const [denseSize, hybridSize] = [dense, dense * hybridShare].map((bytes) => `${Math.ceil(bytes / 1e6)} MB`);
  return (
    `--max-seq ${tokens}${beyond}: its state, dense as it is, takes ${denseSize} then; with --attn hybrid, whose retrieval heads alone ` +
    `keep all tokens, about ${hybridSize} where a fifth of the heads are such`
  );
}
// SmolLM2-135M has 16 retrieval heads of 90 by `atpc calibrate`; what the other heads keep does not grow with the text.
const hybridShare = 0.2;
