/** Quality of the causal modes on real weights and text: KL against dense on one window of WikiText-2, through the kernels. */
import { expect } from 'chai';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { cachePlans, type CachePlanName } from '../../scripts/results/cache-plans.ts';
import { causalModel, type CausalModel } from '../../scripts/results/causal-model.ts';
import {
  denseReference,
  measureDivergence,
  readWikiText,
  wikiTextFile,
  windowsOf,
  windowTokens,
  type DenseReference,
  type Window,
} from '../../scripts/results/language-model.ts';
import { divergenceChecks, formatCheck, passes } from '../../scripts/results/targets.ts';
import { requires, smollm2File } from '../requirements.ts';
import { sharedFile } from '../shared-data.ts';

describe('quality of the causal modes on SmolLM2', function () {
  this.timeout(300_000);
  let model: CausalModel;
  let window: Window;
  let dense: DenseReference;
  const compile = async (plan: CachePlanName) => model.compile(await cachePlans[plan](model.heads, windowTokens), windowTokens);

  before(async function () {
    requires(this, 'smollm2', existsSync(smollm2File));
    const data = path.dirname(sharedFile(this, 'data', wikiTextFile));
    model = await causalModel(smollm2File);
    window = windowsOf(await readWikiText(data, model)).w1;
    dense = denseReference(await compile('dense'), window);
  });

  for (const plan of ['stream r = 256', 'expand', 'hybrid 16'] as const) {
    it(`${plan}: KL on w1 is within 15 % or 0.001 of the recorded one`, async () => {
      const { divergence } = measureDivergence(await compile(plan), window, dense);
      const checks = divergenceChecks(plan, 'w1', divergence);
      expect(checks).to.have.lengthOf(1);
      for (const check of checks) {
        const { found, target } = formatCheck(check);
        expect(passes(check), `${check.what}: ${found}, must be ${target}`).to.equal(true);
      }
    });
  }
});
