/** What can go wrong between here and the hub, as sentences with codes. */
import { AtpcError } from '../../runtime/errors.ts';
import { formatHubLocation, type HubLocation } from './hub-location.ts';
import type { HubSettings } from './hub-settings.ts';

/** The hub cannot be reached, or is too busy: another attempt may succeed. */
export class HubUnavailable extends AtpcError {
  readonly mayPass = true;

  constructor(sentence: string, hint: string, cause?: unknown) {
    super('ATPC-211', sentence, { hint, cause });
  }

  /** AtpcError goes by the form of its code, which would make every one an instance of this class. */
  static override [Symbol.hasInstance](value: unknown): value is HubUnavailable {
    return value instanceof AtpcError && 'mayPass' in value;
  }
}

/** No answer at all. */
export function unreachable({ endpoint }: HubSettings, cause: unknown): HubUnavailable {
  return new HubUnavailable(
    `${endpoint} cannot be reached: ${reasonOf(cause)}.`,
    'Check the network, or a proxy; HF_ENDPOINT names another hub.',
    cause,
  );
}

/** What fetch says is always the same; the reason lies in the causes of its error. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return reasonOf(error.cause);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const message = error instanceof AggregateError && error.message === '' ? '' : error.message;
  return message === '' ? code : message.replace(/\.$/, '');
}

interface Refusal {
  readonly status: number;
  /** X-Error-Code of the hub: RepoNotFound, RevisionNotFound, EntryNotFound, GatedRepo, ... */
  readonly code: string | null;
  readonly url: string;
}

/** An answer other than success. */
export function refused(location: HubLocation, settings: HubSettings, { status, code, url }: Refusal): AtpcError {
  const { repository, revision } = location;
  const { endpoint, token, tokenFrom } = settings;
  const model = `${endpoint}/${repository}`;
  if (code === 'GatedRepo' || status === 403) {
    return new AtpcError(
      'ATPC-213',
      `The model ${repository} is gated: its authors give it to those who ask (status ${status}).`,
      {
        hint:
          token === undefined
            ? `Accept its terms at ${model}, then set HF_TOKEN to a token of the same account.`
            : `Accept its terms at ${model} with the account of the token in ${tokenFrom}; the token must allow reading it.`,
      },
    );
  }
  if (code === 'RevisionNotFound') {
    return new AtpcError('ATPC-212', `The model ${repository} has no branch, tag or commit '${revision}'.`, {
      hint: `${model}/tree/main lists them. Without @revision it is main.`,
    });
  }
  if (code === 'EntryNotFound') return new AtpcError('ATPC-212', `The hub has no file ${url}.`);
  if (code === 'RepoNotFound' || status === 404) {
    return new AtpcError('ATPC-212', `${endpoint} has no model ${repository}${token === undefined ? ' that is public' : ''}.`, {
      hint:
        token === undefined
          ? 'Check the name; for a private model set HF_TOKEN.'
          : `Check the name, and that the token in ${tokenFrom} may read it.`,
    });
  }
  if (status === 401) {
    return token === undefined
      ? new AtpcError('ATPC-213', `${endpoint} gives ${repository} only to those who are logged in.`, {
          hint: `Set HF_TOKEN to a token from ${endpoint}/settings/tokens.`,
        })
      : new AtpcError('ATPC-213', `${endpoint} does not accept the token in ${tokenFrom}.`, {
          hint: `It may have ended: take a new one from ${endpoint}/settings/tokens.`,
        });
  }
  if (status === 429 || status >= 500) {
    const busy = status === 429 ? 'asks to wait: too many requests' : `has a fault of its own (status ${status})`;
    return new HubUnavailable(`${endpoint} ${busy}.`, 'Run it again in a while; what was downloaded is kept.');
  }
  return new AtpcError('ATPC-211', `${endpoint} answered ${url} with status ${status}.`);
}

/** An answer that is not what the hub's protocol says. */
export function notUnderstood(location: HubLocation, { endpoint }: HubSettings, fault: string, cause?: unknown): AtpcError {
  return new AtpcError(
    'ATPC-211',
    `The answer of ${endpoint} about ${formatHubLocation(location)} is not understood: ${fault}.`,
    {
      hint: 'Does HF_ENDPOINT name a hub?',
      cause,
    },
  );
}

/** Refusals of the file system while a download is written: the person must know how much is missing where. */
export function notWritten(file: string, bytes: number, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reason = writeFaults[code];
  if (reason === undefined) return error;
  return new AtpcError('ATPC-312', `${file} cannot be written: ${reason} (${code}).`, {
    hint: `The file needs ${(bytes / 1e6).toFixed(1)} MB. HF_HUB_CACHE or HF_HOME puts the downloads elsewhere.`,
    cause: error,
  });
}
const writeFaults: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of the disk is used up',
  EFBIG: 'the file is too large for the file system',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a part of its path is a file, not a folder',
  EEXIST: 'something of that name is there',
  EISDIR: 'it is a folder',
};
