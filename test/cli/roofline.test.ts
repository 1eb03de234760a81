/** `atpc inspect plan --device`: what a person sees of a roofline, and what is wrong with a question. */
import { expect } from 'chai';
import path from 'node:path';
import { writeFile } from 'node:fs/promises';
import type { PlanReport } from '../../compiler/compile-options.ts';
import { atpc, checkout, inScratch, sentimentModel } from './command-line.ts';

const shape = (name: string): string => path.join(checkout, 'examples/roofline', name);
const bert = shape('bert-base-like');
const onH100 = ['-t', 'cuda', '--device', 'h100'] as const;

describe('rooflines on the command line', function () {
  this.timeout(300_000);

  it('show totals, memory, kernels and assumptions, of a folder that has config.json alone', async () => {
    const { code, stdout, stderr } = await atpc([
      'inspect',
      'plan',
      bert,
      '--attn',
      'expand',
      '--lengths',
      '2048,8192',
      ...onH100,
    ]);
    expect(stderr).to.equal('');
    expect(code).to.equal(0);
    expect(stdout)
      .to.include('Roofline on NVIDIA H100 SXM5 80 GB, products of f32')
      .and.include('no GPU has confirmed it')
      .and.match(/^ +8192 +forward +[\d.]+ TFLOP +[\d.]+ TFLOP /m)
      .and.match(/^ +attention_keys_expand +12 +\d+ +\d+ +\d+\? /m)
      .and.include('Kernels, forward at 8192 tokens, dense')
      .and.include('- This is a prediction. No GPU has confirmed any of it');
  });
  it('are part of the report under --json, at a precision', async () => {
    const model = shape('smollm2-135m');
    const plan = path.join(model, 'plan.yaml');
    const args = ['--plan', plan, '-t', 'cuda', '--precision', 'f16', '--device', 'RTX4090', '--lengths', '4096', '--json'];
    const { code, stdout, stderr } = await atpc(['inspect', 'plan', model, ...args]);
    expect(code, stderr + stdout).to.equal(0);
    const { roofline } = JSON.parse(stdout) as PlanReport;
    expect(roofline).to.include({ device: 'rtx4090', precision: 'f16' });
    const [length] = roofline?.lengths ?? [];
    expect(length?.calls.map(({ call }) => call)).to.deep.equal(['prompt', 'prefill', 'decode']);
    for (const { plan: planned, dense } of length?.calls ?? []) {
      for (const { kernels, seconds } of [planned, dense]) {
        expect(seconds).to.be.above(0);
        expect(kernels.reduce((sum, kernel) => sum + kernel.seconds, 0)).to.be.closeTo(seconds, 1e-9);
      }
    }
  });
  it('are not there unless a device is named', async () => {
    const { stdout } = await atpc(['inspect', 'plan', sentimentModel, '--attn', 'dense', '--json']);
    expect(JSON.parse(stdout)).not.to.have.property('roofline');
  });

  it('take registers from what ptxas printed', async () => {
    await inScratch(async (folder) => {
      const file = path.join(folder, 'ptxas.txt');
      await writeFile(
        file,
        "ptxas info    : Compiling entry function 'layer_norm' for 'sm_90'\nptxas info    : Used 33 registers\n",
      );
      const args = ['--attn', 'dense', '--lengths', '64', ...onH100, '--ptxas', file];
      const { stdout } = await atpc(['inspect', 'plan', bert, ...args]);
      expect(stdout).to.match(/^ +layer_norm +1 +\d+ +\d+ +33 /m);
    });
  });

  const wrong: readonly {
    readonly what: string;
    readonly args: readonly string[];
    readonly code: string;
    readonly says: RegExp;
  }[] = [
    {
      what: 'a device that there is not',
      args: ['-t', 'cuda', '--device', 'h10'],
      code: 'ATPC-307',
      says: /'h10' is not a device.*\n.*Did you mean 'h100'\? Devices: h100, .*a100.*l4.*rtx4090.*rtx5090/,
    },
    { what: 'a device without its target', args: ['--device', 'h100'], code: 'ATPC-301', says: /Add -t cuda/ },
    {
      what: 'a length that the model does not take',
      args: [...onH100, '--lengths', '200000'],
      code: 'ATPC-301',
      says: /200000 tokens.*takes 131072/,
    },
    {
      what: 'registers from a file that is not there',
      args: [...onH100, '--ptxas', 'no-such-file.txt'],
      code: 'ATPC-301',
      says: /no-such-file\.txt \(--ptxas\)/,
    },
  ];
  for (const { what, args, code, says } of wrong) {
    it(`${what}: ${code}`, async () => {
      const outcome = await atpc(['inspect', 'plan', bert, '--attn', 'dense', ...args]);
      expect(outcome.stderr)
        .to.match(new RegExp(`^${code}: `))
        .and.match(says);
      expect(outcome.code).to.equal(2);
      expect(outcome.stdout).to.equal('');
    });
  }
  it('a folder without weights has a plan, and cannot be compiled', async () => {
    await inScratch(async (folder) => {
      const compiled = await atpc(['compile', bert, '-o', path.join(folder, 'out')]);
      expect(compiled.code).to.equal(1);
      expect(compiled.stderr).to.match(/^ATPC-201: .*neither model\.safetensors nor/m);
    });
  });
});
