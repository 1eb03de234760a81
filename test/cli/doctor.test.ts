import { expect } from 'chai';
import os from 'node:os';
import type { DoctorReport } from '../../compiler/cli/doctor-command.ts';
import { cudaEnvironment, cudaIsThere, onHardware } from '../cuda-device.ts';
import { requires } from '../requirements.ts';
import { vulkanEnvironment, webgpuIsThere } from '../webgpu-adapter.ts';
import { atpc } from './command-line.ts';

describe('atpc doctor', function () {
  this.timeout(180_000);

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

  it('looks for CUDA in Node, and says why there is none', async () => {
    const of = async (env: Readonly<Record<string, string>>): Promise<DoctorReport['cuda']> =>
      (JSON.parse((await atpc(['doctor', '--json'], { env })).stdout) as DoctorReport).cuda;
    const none = await of({ ATPC_CUDA_DRIVER: '/nonexistent/driver/libcuda.so.1' });
    expect(none).to.include({ driver: null }).and.have.property('devices').that.deep.equals([]);
    expect(none.why)
      .to.match(/ATPC-501.*libcuda\.so\.1 cannot be loaded.*Install NVIDIA's driver/)
      .and.not.include('/nonexistent');
    const { stdout } = await atpc(['doctor'], { env: { ATPC_CUDA_DRIVER: '/nonexistent/driver/libcuda.so.1' } });
    expect(stdout).to.match(/CUDA in Node[^]*driver +none: ATPC-501/);
  });
  it('names the devices of CUDA, with their compute capability and memory', async function () {
    requires(this, 'cuda', cudaIsThere());
    const env = { ...(await cudaEnvironment()), ATPC_CUDA_SIM_DEVICES: '2', ATPC_CUDA_SIM_CAPABILITY: '90' };
    const { cuda } = JSON.parse((await atpc(['doctor', '--json'], { env })).stdout) as DoctorReport;
    expect(cuda.driver).to.match(/^\d+\.\d+$/);
    expect(cuda.why).to.equal(null);
    const { stdout } = await atpc(['doctor'], { env });
    for (const { name, computeCapability } of cuda.devices)
      expect(stdout).to.include(`${name}, compute capability ${computeCapability}, `);
    if (onHardware) return;
    expect(cuda.driver).to.equal('13.0');
    expect(cuda.devices).to.have.length(2);
    for (const device of cuda.devices)
      expect(device).to.include({ computeCapability: '9.0', memoryBytes: 8 * 2 ** 30, multiprocessors: 108 });
    const hidden = JSON.parse(
      (await atpc(['doctor', '--json'], { env: { ...env, CUDA_VISIBLE_DEVICES: '1' } })).stdout,
    ) as DoctorReport;
    expect(hidden.cuda.devices).to.have.length(1);
  });

  it('names neither the user nor a folder of theirs', async () => {
    const { stdout } = await atpc(['doctor', '--json']);
    for (const secret of [os.homedir(), os.hostname(), process.cwd()]) expect(stdout).not.to.include(secret);
  });
});
