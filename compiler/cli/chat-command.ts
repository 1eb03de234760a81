import { createInterface, type Interface } from 'node:readline/promises';
import type { ChatMessage, GenerationResult, Model, Session } from '../../runtime/api.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { describeAnswer, streamAnswer } from './answer.ts';
import type { ChatFlags } from './chat-flags.ts';
import { generationOptions } from './generation-flags.ts';
import { executionOptions, loadModel } from './load-model.ts';
import { readPackageManifest } from './package-manifest.ts';
import { describeError } from './report-error.ts';
import { formatBytes, type Terminal } from './terminal.ts';

const help = ['/clear  begins a new conversation', '/exit   ends the program, as ctrl-D does', 'ctrl-C  stops an answer'];

/** `atpc chat`: reads messages line by line until the input ends. */
export async function runChat(terminal: Terminal, folder: string, flags: ChatFlags): Promise<void> {
  await requireChat(folder);
  const model = await loadModel(terminal, folder, executionOptions(flags));
  try {
    await new Conversation(terminal, model, flags).run();
  } finally {
    await model.dispose();
  }
}

/** Before megabytes of weights are loaded. */
async function requireChat(folder: string): Promise<void> {
  const { name, task } = await readPackageManifest(folder);
  if (task.kind === 'generate' && task.chat) return;
  const [what, hint] =
    task.kind === 'generate'
      ? ['has no chat template', 'It continues texts: atpc run PACKAGE --prompt "A text"']
      : [`is for the task '${task.kind}'`, 'Compile a model that generates text.'];
  throw new AtpcError('ATPC-605', `The package ${name} cannot chat: it ${what}.`, { hint });
}

class Conversation {
  readonly #terminal: Terminal;
  readonly #session: Session;
  readonly #flags: ChatFlags;
  readonly #interactive: boolean;
  #messages: ChatMessage[];
  /** Of the answer that is being generated. */
  #answering: AbortController | null = null;
  #askedToEnd = false;

  constructor(terminal: Terminal, model: Model, flags: ChatFlags) {
    this.#terminal = terminal;
    this.#session = model.session();
    this.#flags = flags;
    this.#interactive = process.stdin.isTTY && !terminal.json;
    this.#messages = this.#beginning();
  }

  #beginning(): ChatMessage[] {
    const { system } = this.#flags;
    return system === undefined ? [] : [{ role: 'system', content: system }];
  }

  async run(): Promise<void> {
    const terminal = this.#terminal;
    const lines = createInterface({
      input: process.stdin,
      ...(this.#interactive ? { output: process.stdout, prompt: terminal.colors.stdout.bold('> ') } : {}),
      terminal: this.#interactive,
    });
    const end = (): void => lines.close();
    const interrupt = (): boolean => this.#interrupt(lines);
    terminal.signal.addEventListener('abort', end);
    // A terminal in raw mode gives ctrl-C to readline; anything else gives it to the process.
    lines.on('SIGINT', interrupt);
    terminal.onInterrupt(interrupt);
    try {
      if (this.#interactive) {
        terminal.say(terminal.colors.stderr.dim(help.join('\n')));
        lines.prompt();
      }
      for await (const line of lines) {
        if (!(await this.#read(line.trim()))) break;
        if (terminal.signal.aborted) break;
        if (this.#interactive) lines.prompt();
      }
    } finally {
      terminal.onInterrupt(undefined);
      terminal.signal.removeEventListener('abort', end);
      lines.close();
      this.#session.dispose();
    }
    terminal.signal.throwIfAborted();
    if (this.#interactive) terminal.write('\n');
  }

  /** False for a line that ends the program. */
  async #read(line: string): Promise<boolean> {
    this.#askedToEnd = false;
    if (line === '') return true;
    if (line === '/exit') return false;
    if (line === '/clear') {
      this.#messages = this.#beginning();
      return true;
    }
    if (line === '/help') this.#terminal.say(help.join('\n'));
    else if (this.#interactive && /^\/\w+$/.test(line)) this.#terminal.say(`There is no ${line}.\n${help.join('\n')}`);
    else await this.#answer(line);
    return true;
  }

  async #answer(content: string): Promise<void> {
    const terminal = this.#terminal;
    const abort = new AbortController();
    const stop = (): void => abort.abort(terminal.signal.reason);
    terminal.signal.addEventListener('abort', stop);
    this.#answering = abort;
    const messages: ChatMessage[] = [...this.#messages, { role: 'user', content }];
    let text = '';
    try {
      const options = { ...generationOptions(this.#flags), signal: abort.signal };
      const result = await streamAnswer(terminal, this.#session.chat(messages, options), (piece) => (text += piece));
      this.#messages = [...messages, { role: 'assistant', content: result.text }];
      this.#report(result);
    } catch (error) {
      terminal.signal.throwIfAborted();
      if (!abort.signal.aborted) this.#fail(error);
      else {
        // What was said stays said: the next answer may refer to it.
        this.#messages = [...messages, { role: 'assistant', content: text }];
        if (terminal.json) terminal.print(JSON.stringify({ text, finish: 'stopped', stateBytes: this.#session.stateBytes }));
        else terminal.say(terminal.colors.stderr.dim('stopped'));
      }
    } finally {
      this.#answering = null;
      terminal.signal.removeEventListener('abort', stop);
    }
  }

  #report(result: GenerationResult): void {
    const terminal = this.#terminal;
    const { stateBytes } = this.#session;
    if (terminal.json) terminal.print(JSON.stringify({ ...result, stateBytes }));
    else terminal.say(terminal.colors.stderr.dim(`${describeAnswer(result)}; state ${formatBytes(stateBytes)}`));
  }

  /** The message is not part of the conversation; the next one may fit. A fault of the program ends it. */
  #fail(error: unknown): void {
    if (!(error instanceof AtpcError) || !error.code.startsWith('ATPC-6')) throw error;
    const report = describeError(error);
    if (this.#terminal.json) this.#terminal.print(JSON.stringify({ error: report }));
    else {
      const { red, dim } = this.#terminal.colors.stderr;
      process.stderr.write(`${red(`${report.code}:`)} ${report.message}\n`);
      process.stderr.write(`${dim(report.hint ?? '/clear begins a new conversation.')}\n`);
    }
  }

  /** Stops the answer; where there is none, the second time in a row ends the program, and a pipe ends as any command does. */
  #interrupt(lines: Interface): boolean {
    if (this.#answering !== null) this.#answering.abort(new Error('The answer was stopped.'));
    else if (!this.#interactive) return false;
    else if (this.#askedToEnd) lines.close();
    else {
      this.#askedToEnd = true;
      this.#terminal.say('\nctrl-D, /exit or ctrl-C once more ends the program.');
      lines.prompt();
    }
    return true;
  }
}
