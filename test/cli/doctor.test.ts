import { expect } from 'chai';
import os from 'node:os';
import type { DoctorReport } from '../../compiler/cli/doctor-command.ts';
import { requires } from '../requirements.ts';
import { vulkanEnvironment, webgpuIsThere } from '../webgpu-adapter.ts';
import { atpc } from './command-line.ts';

describe('atpc doctor', function () {
  this.timeout(30_000);

  it('prints what a bug report needs, the same for people and for programs', async () => {
    const { code, stdout, stderr } = await atpc(['doctor', '--json']);
    expect(code).to.equal(0);
    expect(stderr).to.equal('');
    const report = JSON.parse(stdout) as DoctorReport;
    expect(report.node).to.equal(process.version);
    expect(report.processor.count).to.equal(os.cpus().length);
    expect(report.memory.total).to.equal(os.totalmem());
    expect(report.packages['binaryen']).to.match(/^\d+\.\d+\.\d+$/);
    const { stdout: text } = await atpc(['doctor']);
    for (const part of [report.atpc, report.node, report.processor.model, 'simd128', 'relaxed-simd', 'threads', 'chromium'])
      expect(text).to.include(part);
  });

  it('finds the features that this engine has: SIMD in every Node, relaxed SIMD from V8 11.4 on', async () => {
    const { webAssembly, sharedArrayBuffer } = JSON.parse((await atpc(['doctor', '--json'])).stdout) as DoctorReport;
    const [major = 0, minor = 0] = process.versions.v8.split('.').map(Number);
    expect(webAssembly).to.deep.equal({
      simd128: true,
      'relaxed-simd': major > 11 || (major === 11 && minor >= 4),
      threads: true,
    });
    expect(sharedArrayBuffer).to.equal(true);
  });

  it('looks for WebGPU in Node, and says why there is none', async () => {
    const none = JSON.parse(
      (await atpc(['doctor', '--json'], { env: { VK_ICD_FILENAMES: '/none.json' } })).stdout,
    ) as DoctorReport;
    expect(none.webGpu).to.deep.equal({
      package: none.packages['webgpu'],
      adapter: null,
      why: 'Dawn finds no adapter: no GPU, or no driver for Vulkan, Metal or D3D',
    });
  });
  it('names the adapter that is there, with its features and limits', async function () {
    requires(this, 'webgpu', webgpuIsThere());
    const { webGpu } = JSON.parse((await atpc(['doctor', '--json'], { env: vulkanEnvironment() })).stdout) as DoctorReport;
    expect(webGpu.why).to.equal(null);
    expect(webGpu.adapter?.limits['maxStorageBuffersPerShaderStage']).to.be.at.least(8);
    expect(webGpu.adapter?.features).to.be.an('array');
    const { stdout } = await atpc(['doctor'], { env: vulkanEnvironment() });
    expect(stdout).to.include(webGpu.adapter?.description).and.include('WebGPU in Node');
  });

  it('names neither the user nor a folder of theirs', async () => {
    const { stdout } = await atpc(['doctor', '--json']);
    for (const secret of [os.homedir(), os.hostname(), process.cwd()]) expect(stdout).not.to.include(secret);
  });
});
