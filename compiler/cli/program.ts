/** The commands and their help. Modules that take long to load are imported by the command that needs them, when it runs. */
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Command, CommanderError, Option } from 'commander';
import { compileFlags, attentionFlags, optionGroups, positiveInteger } from './compile-flags.ts';
import type { CompileFlags, Flag } from './compile-flags.ts';
import { chatFlags, chatJsonFlag } from './chat-flags.ts';
import type { ChatFlags } from './chat-flags.ts';
import { calibrateFlags } from './calibrate-flags.ts';
import type { CalibrateFlags } from './calibrate-flags.ts';
import { benchFlags } from './bench-flags.ts';
import type { BenchFlags } from './bench-flags.ts';
import { evalFlags } from './eval-flags.ts';
import type { AllEvalFlags } from './eval-command.ts';
import { explainFlags } from './explain-flags.ts';
import type { ExplainFlags } from './explain-flags.ts';
import { rooflineFlags } from './roofline-flags.ts';
import type { RooflineFlags } from './roofline-flags.ts';
import { runFlags } from './run-flags.ts';
import type { RunFlags } from './run-flags.ts';
import { colorsFor } from './terminal.ts';
import type { Terminal } from './terminal.ts';
import { usageError } from './usage-error.ts';

export const version = (createRequire(import.meta.url)('atpc/package.json') as { readonly version: string }).version;

const commonFlags = {
  json: {
    flags: '--json',
    group: 'Output:',
    summary: 'print exactly one JSON document on stdout, errors too',
    defaultText: 'off',
  },
  quiet: { flags: '--quiet', group: 'Output:', summary: 'print nothing but results and errors', defaultText: 'off' },
} as const satisfies Readonly<Record<string, Flag>>;

const lengthsFlag = {
  flags: '--lengths <tokens>',
  group: 'Output:',
  summary: 'lengths to show, as a list: 128,512,2048',
  defaultText: '128, 256, 512, 2048, 8192 and 32768, as far as the model goes; 2048, 8192 and 32768 of one that generates',
  parse: (text: string) => text.split(',').map((part) => positiveInteger('--lengths', part.trim())),
} as const satisfies Flag;

/** Every form of a model that commands take. */
const modelWords = 'model file (.ts), Hugging Face folder, GGUF file, or hf:org/name[@revision][:file.gguf] from the hub';

const weightsFlag = compileFlags.weights;

/** The whole command line. Errors are thrown: CommanderError for what commander finds, AtpcError for the rest. */
export function createProgram(terminal: Terminal): Command {
  const program = command(
    new Command('atpc'),
    'Compiles transformer models into npm packages whose attention reads a few principal keys instead of every token.',
  );
  program.optionsGroup('Help:').version(version, '-V, --version', 'print the version');
  program.addHelpText('after', () => `\nDocumentation: ${documentation('cli.md')}`);

  const compile = command(program.command('compile'), 'Compile a model into an npm package.')
    .argument('[model]', `${modelWords}; may come from --config instead`)
    .action((model: string | undefined, flags: CompileFlags) =>
      import('./compile-command.ts').then(({ runCompile }) => runCompile(terminal, model, flags)),
    );
  addFlags(compile, { ...compileFlags, ...commonFlags });
  addExamples(compile, [
    'atpc compile examples/sentiment/model -o dist/sentiment',
    'atpc compile examples/sentiment/model -o dist/sentiment-quarter --attn expand --keys 1/4',
    'atpc compile hf:sentence-transformers/all-MiniLM-L6-v2 -o dist/minilm',
  ]);

  const run = command(program.command('run'), 'Run a compiled package on a text or on tensors, or let it continue a text.')
    .argument('<package>', 'folder of a compiled package')
    .action((folder: string, flags: RunFlags) =>
      import('./run-command.ts').then(({ runRun }) => runRun(terminal, folder, flags)),
    );
  addFlags(run, { ...runFlags, ...commonFlags });
  addExamples(run, [
    'atpc run dist/sentiment --text "A fine film."',
    'atpc run dist/sentiment --inputs in.json --outputs out.safetensors',
    'atpc run dist/smollm2 --prompt "Once upon a time" --max-tokens 64 --temperature 0.8 --top-p 0.95',
  ]);

  const chat = command(
    program.command('chat'),
    'Talk to a compiled package that generates text, or answer one message a line of a pipe.',
  )
    .argument('<package>', 'folder of a compiled package')
    .action((folder: string, flags: ChatFlags) =>
      import('./chat-command.ts').then(({ runChat }) => runChat(terminal, folder, flags)),
    );
  addFlags(chat, { ...chatFlags, ...commonFlags, json: chatJsonFlag });
  addExamples(chat, [
    'atpc chat dist/smollm2 --system "You answer in one sentence."',
    'atpc chat dist/smollm2 --json < questions.txt > answers.jsonl',
  ]);

  const calibrate = command(
    program.command('calibrate'),
    'Find the heads of a generating model that need every token, and write a plan in which all others keep a fixed number.',
  )
    .argument('<model>', modelWords)
    .action((model: string, flags: CalibrateFlags) =>
      import('./calibrate-command.ts').then(({ runCalibrate }) => runCalibrate(terminal, model, flags)),
    );
  addFlags(calibrate, { ...calibrateFlags, ...commonFlags });
  addExamples(calibrate, [
    'atpc calibrate models/smollm2.gguf --text novel.txt -o plan.yaml',
    'atpc compile models/smollm2.gguf --plan plan.yaml -o dist/smollm2-hybrid',
  ]);

  const bench = command(program.command('bench'), 'Measure a compiled package: medians, spread, the time of each kernel.')
    .argument('<package>', 'folder of a compiled package')
    .action((folder: string, flags: BenchFlags) =>
      import('./bench-command.ts').then(({ runBench }) => runBench(terminal, folder, flags)),
    );
  addFlags(bench, { ...benchFlags, ...commonFlags });
  addExamples(bench, [
    'atpc bench dist/sentiment --tokens 128,512 --batch 1,16',
    'atpc bench dist/sentiment --tokens 512 --profile --trace trace.json',
  ]);

  const evaluation = command(
    program.command('eval'),
    'Hold the attention of a model, or of a compiled package, against dense attention on your own data.',
  )
    .argument('<model|package>', `${modelWords}; or folder of a compiled package, with --model`)
    .action((source: string, flags: AllEvalFlags) =>
      import('./eval-command.ts').then(({ runEval }) => runEval(terminal, source, flags)),
    );
  const opened = {
    weights: weightsFlag,
    quant: {
      ...compileFlags.quant,
      group: 'Model:',
      defaultText: 'as in the checkpoint; of a package, what it was compiled with',
    } as const,
    maxSeq: compileFlags.maxSeq,
    beyondTrainedContext: compileFlags.beyondTrainedContext,
  };
  addFlags(evaluation, { ...evalFlags, ...opened, ...commonFlags });
  addExamples(evaluation, [
    'atpc eval examples/sentiment/model --data reviews.jsonl --keys 1/2,1/4,1/8 --html eval.html',
    'atpc eval models/all-MiniLM-L6-v2 --data stsb-dev.tsv --attn expand,cluster',
    'atpc eval dist/sentiment --model examples/sentiment/model --data reviews.jsonl --max-loss 0.05',
  ]);

  const explain = command(
    program.command('explain'),
    'Show what each kernel computes, from which lines of the model, why it ends there, and what it costs.',
  )
    .argument('<package|model>', `folder of a compiled package, or ${modelWords}`)
    .action((source: string, flags: CompileFlags & ExplainFlags) =>
      import('./explain-command.ts').then(({ runExplain }) => runExplain(terminal, source, flags)),
    );
  const { weights, config, force, maxSeq, beyondTrainedContext, precision, activations } = compileFlags;
  const modelFlags = { weights, config, ...attentionFlags, force, maxSeq, beyondTrainedContext, precision, activations };
  addFlags(explain, { ...modelFlags, ...explainFlags, ...commonFlags });
  addExamples(explain, [
    'atpc explain dist/sentiment --tokens 512 --profile',
    'atpc explain examples/sentiment/model --attn expand --html explain.html',
  ]);

  addInspect(command(program.command('inspect'), 'Show what is in a model, a plan or a package.'), terminal);
  addProjectCommands(program, terminal);
  return program;
}

function addProjectCommands(program: Command, terminal: Terminal): void {
  const init = command(program.command('init'), 'Write a starter project: a model, weights to begin with, a script and a test.')
    .argument('[folder]', 'a new or empty folder', '.')
    .action((folder: string) => import('./init-command.ts').then(({ runInit }) => runInit(terminal, folder)));
  addFlags(init, commonFlags);
  addExamples(init, ['atpc init my-model']);

  const doctor = command(
    program.command('doctor'),
    'Print what a bug report needs: versions, processor, memory, features.',
  ).action(() => import('./doctor-command.ts').then(({ runDoctor }) => runDoctor(terminal)));
  addFlags(doctor, commonFlags);
  addExamples(doctor, ['atpc doctor --json']);
}

function addInspect(inspect: Command, terminal: Terminal): void {
  const model = command(inspect.command('model'), 'Show the parameters, inputs and outputs of a model.')
    .argument('<model>', modelWords)
    .action((source: string, flags: { readonly weights?: string }) =>
      import('./inspect-command.ts').then(({ runInspectModel }) => runInspectModel(terminal, source, flags.weights)),
    );
  addFlags(model, { weights: weightsFlag, ...commonFlags });
  addExamples(model, ['atpc inspect model examples/sentiment/model']);

  const plan = command(
    inspect.command('plan'),
    'Show the attention plan of a model: work and predicted time, dense and planned, a layer and a length.',
  )
    .argument('[model]', `${modelWords}; may come from --config instead`)
    .action((source: string | undefined, flags: CompileFlags & RooflineFlags & { readonly lengths?: readonly number[] }) =>
      import('./inspect-command.ts').then(({ runInspectPlan }) => runInspectPlan(terminal, source, flags)),
    );
  addFlags(plan, {
    weights: weightsFlag,
    ...attentionFlags,
    target: compileFlags.target,
    precision: compileFlags.precision,
    activations: compileFlags.activations,
    quant: compileFlags.quant,
    maxSeq: compileFlags.maxSeq,
    beyondTrainedContext: compileFlags.beyondTrainedContext,
    config: compileFlags.config,
    force: compileFlags.force,
    lengths: lengthsFlag,
    ...rooflineFlags,
    ...commonFlags,
  });
  addExamples(plan, [
    'atpc inspect plan examples/sentiment/model --attn expand --keys 1/4 --lengths 256,512',
    'atpc inspect plan examples/roofline/bert-base-like --attn expand -t cuda --device h100',
  ]);

  const packageCommand = command(inspect.command('package'), 'Show what is in a compiled package, and check every file of it.')
    .argument('<package>', 'folder of a compiled package')
    .action((folder: string) =>
      import('./inspect-command.ts').then(({ runInspectPackage }) => runInspectPackage(terminal, folder)),
    );
  addFlags(packageCommand, commonFlags);
  addExamples(packageCommand, ['atpc inspect package dist/sentiment']);
}

function command(target: Command, description: string): Command {
  return target
    .description(description)
    .addHelpOption(new Option('-h, --help', 'print this help').helpGroup('Help:'))
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      // What commander has to say about errors is said by reportError.
      outputError: () => undefined,
      getOutHasColors: () => colorsFor(process.stdout).isColorSupported,
      getErrHasColors: () => colorsFor(process.stderr).isColorSupported,
    })
    .configureHelp({
      styleTitle: (title) => `\u001b[1m${title === 'Arguments:' ? 'Required:' : title}\u001b[22m`,
      helpWidth: process.stdout.columns ?? 110,
    });
}

/** The options of each command, for the documentation. */
export const flagsOf = new WeakMap<Command, readonly Flag[]>();

/** Options in the order of their groups, which is the order in which help shows the groups. */
function addFlags(target: Command, flags: Readonly<Record<string, Flag>>): void {
  const rows = optionGroups.flatMap((group) => Object.values(flags).filter((flag) => flag.group === group));
  flagsOf.set(target, rows);
  for (const flag of rows) {
    const option = new Option(
      flag.flags,
      flag.defaultText === null ? flag.summary : `${flag.summary} (default: ${flag.defaultText})`,
    );
    if (flag.parse !== undefined) option.argParser((text: string, previous: unknown) => flag.parse?.(text, previous));
    target.addOption(option.helpGroup(flag.group));
  }
}

function addExamples(target: Command, examples: readonly string[]): void {
  target.addHelpText('after', () =>
    ['', 'Examples:', ...examples.map((line) => `  ${line}`), '', `Documentation: ${documentation('cli.md')}`].join('\n'),
  );
}

/** The documentation of this very version, as a URL that terminals open: it lies in the package. */
export function documentation(page: string): string {
  for (const folder of ['../../docs/', '../../../docs/']) {
    const url = new URL(page, new URL(folder, import.meta.url));
    if (existsSync(url)) return pathToFileURL(fileURLToPath(url)).href;
  }
  return `docs/${page}`;
}

/** The exit code where commander ends after printing help or the version; undefined for a real error. */
export function exitCodeOfHelp(error: unknown): number | undefined {
  if (!(error instanceof CommanderError)) return undefined;
  if (error.code === 'commander.helpDisplayed' || error.code === 'commander.version') return 0;
  // A command was expected and none given: commander has printed the help on stderr.
  return error.code === 'commander.help' ? 2 : undefined;
}

/** What commander says about a command line, as ATPC-301. */
export function toUsageError(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error;
  const [sentence = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const said = `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}`.replace(/\.?$/, '.');
  const hint = suggestion === undefined ? undefined : /\((Did you mean .*)\?\)/.exec(suggestion)?.[1];
  return usageError(said, hint === undefined ? 'atpc --help, or atpc COMMAND --help, lists what there is.' : `${hint}?`);
}
