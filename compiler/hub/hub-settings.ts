/**
 * Where the hub is, who asks, and where downloads lie: the environment variables of Hugging Face's own tools
 * (https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables), so that both share one cache.
 */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { AtpcError } from '../../runtime/errors.ts';

export interface HubSettings {
  /** Without a slash at its end. */
  readonly endpoint: string;
  /** Absent for someone who is not logged in. */
  readonly token?: string;
  /** Where the token comes from, in words. */
  readonly tokenFrom: string;
  readonly cache: string;
  /** No request is made; what the cache has is taken. */
  readonly offline: boolean;
}
type Environment = Readonly<Record<string, string | undefined>>;

/** HF_ENDPOINT; HF_TOKEN or the file of `huggingface-cli login`; HF_HUB_CACHE or HF_HOME; HF_HUB_OFFLINE. Throws ATPC-301. */
export async function hubSettings(environment: Environment = process.env): Promise<HubSettings> {
  const said = (name: string): string | undefined => environment[name]?.trim() || undefined;
  const home = said('HF_HOME') ?? path.join(said('XDG_CACHE_HOME') ?? path.join(homedir(), '.cache'), 'huggingface');
  const endpoint = (said('HF_ENDPOINT') ?? 'https://huggingface.co').replace(/\/+$/, '');
  if (!/^https?:\/\/[^/]/.test(endpoint) || !URL.canParse(endpoint)) {
    throw new AtpcError('ATPC-301', `HF_ENDPOINT is '${endpoint}', which is no http or https address.`);
  }
  const { token, from } = await tokenOf(said, home);
  return {
    endpoint,
    ...(token === undefined ? {} : { token }),
    tokenFrom: from,
    cache: said('HF_HUB_CACHE') ?? said('HUGGINGFACE_HUB_CACHE') ?? path.join(home, 'hub'),
    offline: /^(1|on|yes|true)$/i.test(said('HF_HUB_OFFLINE') ?? ''),
  };
}

async function tokenOf(
  said: (name: string) => string | undefined,
  home: string,
): Promise<{ readonly token: string | undefined; readonly from: string }> {
  for (const name of ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN']) {
    const token = said(name);
    if (token !== undefined) return { token: checked(token, name), from: name };
  }
  const file = said('HF_TOKEN_PATH') ?? path.join(home, 'token');
  const text = await readFile(file, 'utf8').catch(() => '');
  const token = text.trim();
  return { token: token === '' ? undefined : checked(token, `the file ${file}`), from: `the file ${file}` };
}

/** All tokens of the hub begin so; the client library refuses any other. The token itself is never printed. */
function checked(token: string, from: string): string {
  if (/^hf_[\x21-\x7e]+$/.test(token)) return token;
  throw new AtpcError('ATPC-301', `The token in ${from} is none of the hub: those begin with 'hf_' and have no spaces.`, {
    hint: 'Take it from https://huggingface.co/settings/tokens.',
  });
}
