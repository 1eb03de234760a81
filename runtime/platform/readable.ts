import { AtpcError } from '../errors.ts';

/** What `read` gives; rejects with ATPC-401 where it fails. */
export async function readable<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    const named = cause instanceof Error && 'code' in cause && typeof cause.code === 'string';
    const why = named ? String(cause.code) : cause instanceof Error ? cause.message : String(cause);
    throw new AtpcError('ATPC-401', `The file ${path} of the package cannot be read (${why}).`, { cause });
  }
}
