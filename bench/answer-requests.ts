/** The other end of a PeerProcess: answers its parent's requests, one after the other, until the parent is gone. */

/** What a process can be asked, and what it answers. */
export type RequestTable = { readonly [name: string]: { readonly ask: unknown; readonly reply: unknown } };
export type Reply = { readonly reply: unknown } | { readonly fault: string };
export type Handlers<Requests> = {
  readonly [K in keyof Requests]: Requests[K] extends { readonly ask: infer Ask; readonly reply: infer Answer }
    ? (ask: Ask) => Promise<Answer>
    : never;
};

export function answerRequests<Requests extends RequestTable>(handlers: Handlers<Requests>): void {
  const answer = async (name: keyof Requests, asked: unknown): Promise<Reply> => {
    try {
      return { reply: await (handlers[name] as (ask: unknown) => Promise<unknown>)(asked) };
    } catch (error) {
      return { fault: error instanceof Error ? error.message : String(error) };
    }
  };
  process.on('message', ({ name, ask }: { readonly name: keyof Requests; readonly ask: unknown }) => {
    void answer(name, ask).then((reply) => process.send?.(reply));
  });
  process.on('disconnect', () => process.exit());
}
