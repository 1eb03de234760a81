import { expect } from 'chai';
import { requires } from '../requirements.ts';
import { findNaga, validateWithNaga } from './naga.ts';

const scale = `
struct Sizes { rows: u32, columns: u32 }
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> sizes: Sizes;
var<workgroup> tile: array<vec4f, 64>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) local: u32) {
  tile[local] = x[id.x];
  workgroupBarrier();
  if (id.x < sizes.rows) { y[id.x] = fma(tile[63u - local], vec4f(2), exp(x[id.x])); }
}`;

const halves = `
@group(0) @binding(0) var<storage, read_write> y: array<vec4<f16>>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] = fma(y[id.x], vec4<f16>(2.0h), vec4<f16>(vec4f(0.5))); }`;

const sums = `
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(subgroup_size) size: u32, @builtin(subgroup_invocation_id) lane: u32) {
  let partner = subgroupShuffleXor(y[id.x], size / 2u);
  y[id.x] = subgroupAdd(partner) + subgroupMax(y[id.x]) + subgroupBroadcastFirst(y[id.x]) + f32(lane);
}`;

describe('WGSL by a second front end, naga', () => {
  before(function () {
    requires(this, 'naga', findNaga() !== undefined);
  });

  it('takes a valid shader', async () => {
    expect(await validateWithNaga(scale)).to.equal(null);
  });

  it('says what is wrong, and where', async () => {
    expect(await validateWithNaga(scale.replace('y[id.x] = fma', 'x[id.x] = fma'))).to.match(
      /shader\.wgsl:11:28[^]*writing to this location is not permitted/,
    );
    expect(await validateWithNaga(scale.replace('vec4f(2)', 'vec4u(2)'))).to.include('shader.wgsl:11:');
    expect(await validateWithNaga(scale.replace('y[id.x] =', 'y[id.x] ='.replace('=', '')))).to.match(/^Could not parse WGSL:/);
  });

  it('takes half precision where the shader enables it, and only there', async () => {
    expect(await validateWithNaga(`enable f16;${halves}`)).to.equal(null);
    expect(await validateWithNaga(halves)).to.include('f16');
    expect(await validateWithNaga(`enable f16;${halves.replace('2.0h', '2.0f')}`)).to.be.a('string');
  });

  it('takes subgroup operations where the shader enables them, and only there', async () => {
    for (const directive of [
      'enable subgroups;',
      'enable f16;\nenable subgroups;',
      'enable subgroups, f16;',
      'enable f16, subgroups;',
    ]) {
      expect(await validateWithNaga(directive + sums), directive).to.equal(null);
    }
    expect(await validateWithNaga(sums)).to.include('missing capability');
    expect(await validateWithNaga(`enable subgroups;${sums.replace('size / 2u', '0.5f')}`)).to.include('shader.wgsl:5:');
  });

  it('refuses what it does not know', async () => {
    expect(await validateWithNaga(`enable subgroups, nonsense;${sums}`)).to.include('nonsense');
  });
});
