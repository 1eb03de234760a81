// === kernel lookup_q4 ===
// lookup_q4
// One row of a table of q4 in blocks of 32 with minima a workgroup.

struct Sizes {
  items: i32,
  ids_offset: i32,
  quants_offset: i32,
  scales_offset: i32,
  minima_offset: i32,
  result_offset: i32,
  count: i32,
  depth: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> ids_buffer: array<i32>;
@group(0) @binding(2) var<storage, read> quants_buffer: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> scales_buffer: array<f32>;
@group(0) @binding(4) var<storage, read> minima_buffer: array<f32>;
@group(0) @binding(5) var<storage, read_write> result_buffer: array<vec4<f32>>;

fn unpack_low_nibbles(word: u32, scale: f32, minimum: f32) -> vec4<f32> {
  let quant_0: f32 = f32((word >> 0u) & 15u);
  let quant_1: f32 = f32((word >> 8u) & 15u);
  let quant_2: f32 = f32((word >> 16u) & 15u);
  let quant_3: f32 = f32((word >> 24u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

fn unpack_high_nibbles(word: u32, scale: f32, minimum: f32) -> vec4<f32> {
  let quant_0: f32 = f32((word >> 4u) & 15u);
  let quant_1: f32 = f32((word >> 12u) & 15u);
  let quant_2: f32 = f32((word >> 20u) & 15u);
  let quant_3: f32 = f32((word >> 28u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let row: i32 = ids_buffer[sizes.ids_offset + item];
  for (var place: i32 = thread * 32; place < sizes.depth; place += 2048) {
    let words: vec4<u32> = quants_buffer[(sizes.quants_offset + (row * sizes.depth + place) / 8) >> 2u];
    let block: i32 = (row * sizes.depth + place) / 32;
    let scale: f32 = scales_buffer[sizes.scales_offset + block];
    let minimum: f32 = minima_buffer[sizes.minima_offset + block];
    result_buffer[(sizes.result_offset + item * sizes.depth + place + 0) >> 2u] = unpack_low_nibbles(words.x, scale, minimum);
    result_buffer[(sizes.result_offset + item * sizes.depth + place + 4) >> 2u] = unpack_low_nibbles(words.y, scale, minimum);
    result_buffer[(sizes.result_offset + item * sizes.depth + place + 8) >> 2u] = unpack_low_nibbles(words.z, scale, minimum);
    result_buffer[(sizes.result_offset + item * sizes.depth + place + 12) >> 2u] = unpack_low_nibbles(words.w, scale, minimum);
    result_buffer[(sizes.result_offset + item * sizes.depth + place + 16) >> 2u] = unpack_high_nibbles(words.x, scale, minimum);
    result_buffer[(sizes.result_offset + item * sizes.depth + place + 20) >> 2u] = unpack_high_nibbles(words.y, scale, minimum);
    result_buffer[(sizes.result_offset + item * sizes.depth + place + 24) >> 2u] = unpack_high_nibbles(words.z, scale, minimum);
    result_buffer[(sizes.result_offset + item * sizes.depth + place + 28) >> 2u] = unpack_high_nibbles(words.w, scale, minimum);
  }
}

// === kernel rms_norm ===
// rms_norm
// rms_norm of one row a workgroup.

struct Sizes {
  items: i32,
  x0_offset: i32,
  weight_offset: i32,
  result_offset: i32,
  extent_0: i32,
  extent_1: i32,
  extent_2: i32,
  x0_stride_0: i32,
  x0_stride_1: i32,
  x0_stride_2: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x0_buffer: array<f32>;
@group(0) @binding(2) var<storage, read> weight_buffer: array<f32>;
@group(0) @binding(3) var<storage, read_write> result_buffer: array<f32>;

var<workgroup> exchanged: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let index_1: i32 = item % sizes.extent_1;
  let rest: i32 = item / sizes.extent_1;
  let index_0: i32 = rest;
  let row: i32 = item * sizes.extent_2;
  var partial_2: f32 = f32();
  for (var column: i32 = thread; column < sizes.extent_2; column += 64) {
    let value: f32 = x0_buffer[sizes.x0_offset + index_0 * sizes.x0_stride_0 + index_1 * sizes.x0_stride_1 + column];
    result_buffer[sizes.result_offset + row + column] = value;
    partial_2 += value * value;
  }
  var squares: f32 = partial_2;
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 1)];
  workgroupBarrier();
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 2)];
  workgroupBarrier();
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 4)];
  workgroupBarrier();
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 8)];
  workgroupBarrier();
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 16)];
  workgroupBarrier();
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 32)];
  workgroupBarrier();
  let scale: f32 = 1.0 / sqrt(squares / f32(sizes.extent_2) + 0.000009999999747378752);
  for (var column: i32 = thread; column < sizes.extent_2; column += 64) {
    result_buffer[sizes.result_offset + row + column] = result_buffer[sizes.result_offset + row + column] * scale * weight_buffer[sizes.weight_offset + column];
  }
}

// === kernel gemm_q4 ===
// gemm_q4
// left [rows, depth] x right [columns, depth]^T, the right side of q4 in blocks of 32 with minima.
// A tile of 32 x 64 a workgroup.

struct Sizes {
  items: i32,
  left_offset: i32,
  quants_offset: i32,
  scales_offset: i32,
  minima_offset: i32,
  result_offset: i32,
  rows: i32,
  columns: i32,
  depth: i32,
  left_stride: i32,
  result_stride: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> left_buffer: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> quants_buffer: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> scales_buffer: array<f32>;
@group(0) @binding(4) var<storage, read> minima_buffer: array<f32>;
@group(0) @binding(5) var<storage, read_write> result_buffer: array<f32>;

var<workgroup> left_tile: array<vec4<f32>, 288>;
var<workgroup> right_tile: array<vec4<f32>, 576>;

fn unpack_low_nibbles(word: u32, scale: f32, minimum: f32) -> vec4<f32> {
  let quant_0: f32 = f32((word >> 0u) & 15u);
  let quant_1: f32 = f32((word >> 8u) & 15u);
  let quant_2: f32 = f32((word >> 16u) & 15u);
  let quant_3: f32 = f32((word >> 24u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

fn unpack_high_nibbles(word: u32, scale: f32, minimum: f32) -> vec4<f32> {
  let quant_0: f32 = f32((word >> 4u) & 15u);
  let quant_1: f32 = f32((word >> 12u) & 15u);
  let quant_2: f32 = f32((word >> 20u) & 15u);
  let quant_3: f32 = f32((word >> 28u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

fn multiply_add(a: vec4<f32>, b: vec4<f32>, sum: f32) -> f32 {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}

@compute @workgroup_size(128)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let row_tiles: i32 = ((sizes.rows + 31) / 32);
  let first_row: i32 = item % row_tiles * 32;
  let first_column: i32 = item / row_tiles * 64;
  let thread_row: i32 = thread / 16;
  let thread_column: i32 = thread % 16;
  var sum_0_0: f32 = f32();
  var sum_0_1: f32 = f32();
  var sum_0_2: f32 = f32();
  var sum_0_3: f32 = f32();
  var sum_1_0: f32 = f32();
  var sum_1_1: f32 = f32();
  var sum_1_2: f32 = f32();
  var sum_1_3: f32 = f32();
  var sum_2_0: f32 = f32();
  var sum_2_1: f32 = f32();
  var sum_2_2: f32 = f32();
  var sum_2_3: f32 = f32();
  var sum_3_0: f32 = f32();
  var sum_3_1: f32 = f32();
  var sum_3_2: f32 = f32();
  var sum_3_3: f32 = f32();
  for (var depth_start: i32 = 0; depth_start < sizes.depth; depth_start += 32) {
    for (var run: i32 = thread; run < 256; run += 128) {
      let tile_row: i32 = run / 8;
      let within: i32 = run % 8 * 4;
      let place: i32 = depth_start + within;
      let at: i32 = tile_row * 9 + within / 4;
      if (place < sizes.depth) {
        let row: i32 = min(first_row + tile_row, sizes.rows - 1);
        let start: i32 = row * sizes.left_stride + place;
        left_tile[at + 0] = left_buffer[(sizes.left_offset + start) >> 2u];
      } else {
        left_tile[at + 0] = vec4<f32>(0.0);
      }
    }
    for (var run: i32 = thread; run < 64; run += 128) {
      let tile_row_2: i32 = run / 1;
      let within_2: i32 = run % 1 * 32;
      let place_2: i32 = depth_start + within_2;
      let at_2: i32 = tile_row_2 * 9 + within_2 / 4;
      if (place_2 < sizes.depth) {
        let row_2: i32 = min(first_column + tile_row_2, sizes.columns - 1);
        let words: vec4<u32> = quants_buffer[(sizes.quants_offset + (row_2 * sizes.depth + place_2) / 8) >> 2u];
        let block: i32 = (row_2 * sizes.depth + place_2) / 32;
        let scale: f32 = scales_buffer[sizes.scales_offset + block];
        let minimum: f32 = minima_buffer[sizes.minima_offset + block];
        right_tile[at_2 + 0] = unpack_low_nibbles(words.x, scale, minimum);
        right_tile[at_2 + 1] = unpack_low_nibbles(words.y, scale, minimum);
        right_tile[at_2 + 2] = unpack_low_nibbles(words.z, scale, minimum);
        right_tile[at_2 + 3] = unpack_low_nibbles(words.w, scale, minimum);
        right_tile[at_2 + 4] = unpack_high_nibbles(words.x, scale, minimum);
        right_tile[at_2 + 5] = unpack_high_nibbles(words.y, scale, minimum);
        right_tile[at_2 + 6] = unpack_high_nibbles(words.z, scale, minimum);
        right_tile[at_2 + 7] = unpack_high_nibbles(words.w, scale, minimum);
      } else {
        right_tile[at_2 + 0] = vec4<f32>(0.0);
        right_tile[at_2 + 1] = vec4<f32>(0.0);
        right_tile[at_2 + 2] = vec4<f32>(0.0);
        right_tile[at_2 + 3] = vec4<f32>(0.0);
        right_tile[at_2 + 4] = vec4<f32>(0.0);
        right_tile[at_2 + 5] = vec4<f32>(0.0);
        right_tile[at_2 + 6] = vec4<f32>(0.0);
        right_tile[at_2 + 7] = vec4<f32>(0.0);
      }
    }
    workgroupBarrier();
    for (var quad: i32 = 0; quad < 8; quad += 1) {
      let left_at: i32 = thread_row * 9 + quad;
      let right_at: i32 = thread_column * 9 + quad;
      let right_0: vec4<f32> = right_tile[right_at + 0];
      let right_1: vec4<f32> = right_tile[right_at + 144];
      let right_2: vec4<f32> = right_tile[right_at + 288];
      let right_3: vec4<f32> = right_tile[right_at + 432];
      let left_0: vec4<f32> = left_tile[left_at + 0];
      sum_0_0 = multiply_add(left_0, right_0, sum_0_0);
      sum_0_1 = multiply_add(left_0, right_1, sum_0_1);
      sum_0_2 = multiply_add(left_0, right_2, sum_0_2);
      sum_0_3 = multiply_add(left_0, right_3, sum_0_3);
      let left_1: vec4<f32> = left_tile[left_at + 72];
      sum_1_0 = multiply_add(left_1, right_0, sum_1_0);
      sum_1_1 = multiply_add(left_1, right_1, sum_1_1);
      sum_1_2 = multiply_add(left_1, right_2, sum_1_2);
      sum_1_3 = multiply_add(left_1, right_3, sum_1_3);
      let left_2: vec4<f32> = left_tile[left_at + 144];
      sum_2_0 = multiply_add(left_2, right_0, sum_2_0);
      sum_2_1 = multiply_add(left_2, right_1, sum_2_1);
      sum_2_2 = multiply_add(left_2, right_2, sum_2_2);
      sum_2_3 = multiply_add(left_2, right_3, sum_2_3);
      let left_3: vec4<f32> = left_tile[left_at + 216];
      sum_3_0 = multiply_add(left_3, right_0, sum_3_0);
      sum_3_1 = multiply_add(left_3, right_1, sum_3_1);
      sum_3_2 = multiply_add(left_3, right_2, sum_3_2);
      sum_3_3 = multiply_add(left_3, right_3, sum_3_3);
    }
    workgroupBarrier();
  }
  let column: i32 = first_column + thread_column + 0;
  if (column < sizes.columns) {
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column] = sum_0_0;
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column] = sum_1_0;
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column] = sum_2_0;
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column] = sum_3_0;
    }
  }
  let column_2: i32 = first_column + thread_column + 16;
  if (column_2 < sizes.columns) {
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column_2] = sum_0_1;
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column_2] = sum_1_1;
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column_2] = sum_2_1;
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column_2] = sum_3_1;
    }
  }
  let column_3: i32 = first_column + thread_column + 32;
  if (column_3 < sizes.columns) {
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column_3] = sum_0_2;
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column_3] = sum_1_2;
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column_3] = sum_2_2;
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column_3] = sum_3_2;
    }
  }
  let column_4: i32 = first_column + thread_column + 48;
  if (column_4 < sizes.columns) {
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column_4] = sum_0_3;
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column_4] = sum_1_3;
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column_4] = sum_2_3;
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column_4] = sum_3_3;
    }
  }
}

// === kernel maps_gather ===
// maps_gather
// One element a thread, of one of 2 loops.

struct Sizes {
  items: i32,
  part_0_x0_offset: i32,
  part_0_x1_offset: i32,
  part_1_x0_offset: i32,
  part_1_x1_offset: i32,
  part_0_result_offset: i32,
  part_1_result_offset: i32,
  part_0_extent_0: i32,
  part_0_extent_1: i32,
  part_0_x0_stride_0: i32,
  part_0_x0_stride_1: i32,
  part_0_x1_stride_0: i32,
  part_0_x1_stride_1: i32,
  part_0_x1_stride_indirect: i32,
  part_0_result_stride_0: i32,
  part_0_result_stride_1: i32,
  part_1_extent_0: i32,
  part_1_extent_1: i32,
  part_1_x0_stride_0: i32,
  part_1_x0_stride_1: i32,
  part_1_x1_stride_0: i32,
  part_1_x1_stride_1: i32,
  part_1_x1_stride_indirect: i32,
  part_1_result_stride_0: i32,
  part_1_result_stride_1: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> part_0_x0_part_1_x0_buffer: array<i32>;
@group(0) @binding(2) var<storage, read> part_0_x1_buffer: array<f32>;
@group(0) @binding(3) var<storage, read> part_1_x1_buffer: array<f32>;
@group(0) @binding(4) var<storage, read_write> part_0_result_buffer: array<f32>;
@group(0) @binding(5) var<storage, read_write> part_1_result_buffer: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let part_0_end: i32 = (sizes.part_0_extent_0 * sizes.part_0_extent_1 + 63) / 64;
  if (item < part_0_end) {
    let element: i32 = item * 64 + thread;
    let index_1: i32 = element % sizes.part_0_extent_1;
    let rest: i32 = element / sizes.part_0_extent_1;
    let index_0: i32 = rest;
    if (index_0 < sizes.part_0_extent_0) {
      part_0_result_buffer[sizes.part_0_result_offset + index_0 * sizes.part_0_result_stride_0 + index_1] = part_0_x1_buffer[sizes.part_0_x1_offset + index_0 * sizes.part_0_x1_stride_0 + index_1 + part_0_x0_part_1_x0_buffer[sizes.part_0_x0_offset + index_0 * sizes.part_0_x0_stride_0] * sizes.part_0_x1_stride_indirect];
    }
  }
  let part_1_end: i32 = part_0_end + (sizes.part_1_extent_0 * sizes.part_1_extent_1 + 63) / 64;
  if (item >= part_0_end && item < part_1_end) {
    let element_2: i32 = (item - part_0_end) * 64 + thread;
    let index_1_2: i32 = element_2 % sizes.part_1_extent_1;
    let rest_2: i32 = element_2 / sizes.part_1_extent_1;
    let index_0_2: i32 = rest_2;
    if (index_0_2 < sizes.part_1_extent_0) {
      part_1_result_buffer[sizes.part_1_result_offset + index_0_2 * sizes.part_1_result_stride_0 + index_1_2] = part_1_x1_buffer[sizes.part_1_x1_offset + index_0_2 * sizes.part_1_x1_stride_0 + index_1_2 + part_0_x0_part_1_x0_buffer[sizes.part_1_x0_offset + index_0_2 * sizes.part_1_x0_stride_0] * sizes.part_1_x1_stride_indirect];
    }
  }
}

// === kernel maps_subtract_add_copy ===
// maps_subtract_add_copy
// One element a thread, of one of 5 loops.

struct Sizes {
  items: i32,
  part_0_x0_offset: i32,
  part_0_x1_offset: i32,
  part_0_x2_offset: i32,
  part_0_x3_offset: i32,
  part_1_x0_offset: i32,
  part_1_x1_offset: i32,
  part_1_x2_offset: i32,
  part_1_x3_offset: i32,
  part_2_x0_offset: i32,
  part_2_x1_offset: i32,
  part_2_x2_offset: i32,
  part_2_x3_offset: i32,
  part_3_x0_offset: i32,
  part_3_x1_offset: i32,
  part_3_x2_offset: i32,
  part_3_x3_offset: i32,
  part_4_x0_offset: i32,
  part_0_result_offset: i32,
  part_1_result_offset: i32,
  part_2_result_offset: i32,
  part_3_result_offset: i32,
  part_4_result_offset: i32,
  part_0_extent_0: i32,
  part_0_extent_1: i32,
  part_0_extent_2: i32,
  part_0_extent_3: i32,
  part_0_x0_stride_0: i32,
  part_0_x0_stride_1: i32,
  part_0_x0_stride_2: i32,
  part_0_x0_stride_3: i32,
  part_0_x1_stride_0: i32,
  part_0_x1_stride_1: i32,
  part_0_x1_stride_2: i32,
  part_0_x1_stride_3: i32,
  part_0_x2_stride_0: i32,
  part_0_x2_stride_1: i32,
  part_0_x2_stride_2: i32,
  part_0_x2_stride_3: i32,
  part_0_x3_stride_0: i32,
  part_0_x3_stride_1: i32,
  part_0_x3_stride_2: i32,
  part_0_x3_stride_3: i32,
  part_0_result_stride_0: i32,
  part_0_result_stride_1: i32,
  part_0_result_stride_2: i32,
  part_0_result_stride_3: i32,
  part_1_extent_0: i32,
  part_1_extent_1: i32,
  part_1_extent_2: i32,
  part_1_extent_3: i32,
  part_1_x0_stride_0: i32,
  part_1_x0_stride_1: i32,
  part_1_x0_stride_2: i32,
  part_1_x0_stride_3: i32,
  part_1_x1_stride_0: i32,
  part_1_x1_stride_1: i32,
  part_1_x1_stride_2: i32,
  part_1_x1_stride_3: i32,
  part_1_x2_stride_0: i32,
  part_1_x2_stride_1: i32,
  part_1_x2_stride_2: i32,
  part_1_x2_stride_3: i32,
  part_1_x3_stride_0: i32,
  part_1_x3_stride_1: i32,
  part_1_x3_stride_2: i32,
  part_1_x3_stride_3: i32,
  part_1_result_stride_0: i32,
  part_1_result_stride_1: i32,
  part_1_result_stride_2: i32,
  part_1_result_stride_3: i32,
  part_2_extent_0: i32,
  part_2_extent_1: i32,
  part_2_extent_2: i32,
  part_2_extent_3: i32,
  part_2_x0_stride_0: i32,
  part_2_x0_stride_1: i32,
  part_2_x0_stride_2: i32,
  part_2_x0_stride_3: i32,
  part_2_x1_stride_0: i32,
  part_2_x1_stride_1: i32,
  part_2_x1_stride_2: i32,
  part_2_x1_stride_3: i32,
  part_2_x2_stride_0: i32,
  part_2_x2_stride_1: i32,
  part_2_x2_stride_2: i32,
  part_2_x2_stride_3: i32,
  part_2_x3_stride_0: i32,
  part_2_x3_stride_1: i32,
  part_2_x3_stride_2: i32,
  part_2_x3_stride_3: i32,
  part_2_result_stride_0: i32,
  part_2_result_stride_1: i32,
  part_2_result_stride_2: i32,
  part_2_result_stride_3: i32,
  part_3_extent_0: i32,
  part_3_extent_1: i32,
  part_3_extent_2: i32,
  part_3_extent_3: i32,
  part_3_x0_stride_0: i32,
  part_3_x0_stride_1: i32,
  part_3_x0_stride_2: i32,
  part_3_x0_stride_3: i32,
  part_3_x1_stride_0: i32,
  part_3_x1_stride_1: i32,
  part_3_x1_stride_2: i32,
  part_3_x1_stride_3: i32,
  part_3_x2_stride_0: i32,
  part_3_x2_stride_1: i32,
  part_3_x2_stride_2: i32,
  part_3_x2_stride_3: i32,
  part_3_x3_stride_0: i32,
  part_3_x3_stride_1: i32,
  part_3_x3_stride_2: i32,
  part_3_x3_stride_3: i32,
  part_3_result_stride_0: i32,
  part_3_result_stride_1: i32,
  part_3_result_stride_2: i32,
  part_3_result_stride_3: i32,
  part_4_extent_0: i32,
  part_4_extent_1: i32,
  part_4_extent_2: i32,
  part_4_extent_3: i32,
  part_4_x0_stride_0: i32,
  part_4_x0_stride_1: i32,
  part_4_x0_stride_2: i32,
  part_4_x0_stride_3: i32,
  part_4_result_stride_0: i32,
  part_4_result_stride_1: i32,
  part_4_result_stride_2: i32,
  part_4_result_stride_3: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer: array<f32>;
@group(0) @binding(2) var<storage, read> part_0_x1_part_1_x1_part_2_x1_part_3_x1_buffer: array<f32>;
@group(0) @binding(3) var<storage, read> part_0_x3_part_1_x3_part_2_x3_part_3_x3_buffer: array<f32>;
@group(0) @binding(4) var<storage, read_write> part_0_result_part_1_result_buffer: array<f32>;
@group(0) @binding(5) var<storage, read_write> part_2_result_part_3_result_buffer: array<f32>;
@group(0) @binding(6) var<storage, read_write> part_4_result_buffer: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let part_0_end: i32 = (sizes.part_0_extent_0 * sizes.part_0_extent_1 * sizes.part_0_extent_2 * sizes.part_0_extent_3 + 63) / 64;
  if (item < part_0_end) {
    let element: i32 = item * 64 + thread;
    let index_3: i32 = element % sizes.part_0_extent_3;
    let rest: i32 = element / sizes.part_0_extent_3;
    let index_2: i32 = rest % sizes.part_0_extent_2;
    let rest_2: i32 = rest / sizes.part_0_extent_2;
    let index_1: i32 = rest_2 % sizes.part_0_extent_1;
    let rest_3: i32 = rest_2 / sizes.part_0_extent_1;
    let index_0: i32 = rest_3;
    if (index_0 < sizes.part_0_extent_0) {
      part_0_result_part_1_result_buffer[sizes.part_0_result_offset + index_0 * sizes.part_0_result_stride_0 + index_1 * sizes.part_0_result_stride_1 + index_2 * sizes.part_0_result_stride_2 + index_3] = ((part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes.part_0_x0_offset + index_0 * sizes.part_0_x0_stride_0 + index_1 * sizes.part_0_x0_stride_1 + index_2 * sizes.part_0_x0_stride_2 + index_3] * part_0_x1_part_1_x1_part_2_x1_part_3_x1_buffer[sizes.part_0_x1_offset + index_0 * sizes.part_0_x1_stride_0 + index_1 * sizes.part_0_x1_stride_1 + index_2 * sizes.part_0_x1_stride_2 + index_3]) - (part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes.part_0_x2_offset + index_0 * sizes.part_0_x2_stride_0 + index_1 * sizes.part_0_x2_stride_1 + index_2 * sizes.part_0_x2_stride_2 + index_3] * part_0_x3_part_1_x3_part_2_x3_part_3_x3_buffer[sizes.part_0_x3_offset + index_0 * sizes.part_0_x3_stride_0 + index_1 * sizes.part_0_x3_stride_1 + index_2 * sizes.part_0_x3_stride_2 + index_3]));
    }
  }
  let part_1_end: i32 = part_0_end + (sizes.part_1_extent_0 * sizes.part_1_extent_1 * sizes.part_1_extent_2 * sizes.part_1_extent_3 + 63) / 64;
  if (item >= part_0_end && item < part_1_end) {
    let element_2: i32 = (item - part_0_end) * 64 + thread;
    let index_3_2: i32 = element_2 % sizes.part_1_extent_3;
    let rest_4: i32 = element_2 / sizes.part_1_extent_3;
    let index_2_2: i32 = rest_4 % sizes.part_1_extent_2;
    let rest_5: i32 = rest_4 / sizes.part_1_extent_2;
    let index_1_2: i32 = rest_5 % sizes.part_1_extent_1;
    let rest_6: i32 = rest_5 / sizes.part_1_extent_1;
    let index_0_2: i32 = rest_6;
    if (index_0_2 < sizes.part_1_extent_0) {
      part_0_result_part_1_result_buffer[sizes.part_1_result_offset + index_0_2 * sizes.part_1_result_stride_0 + index_1_2 * sizes.part_1_result_stride_1 + index_2_2 * sizes.part_1_result_stride_2 + index_3_2] = ((part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes.part_1_x0_offset + index_0_2 * sizes.part_1_x0_stride_0 + index_1_2 * sizes.part_1_x0_stride_1 + index_2_2 * sizes.part_1_x0_stride_2 + index_3_2] * part_0_x1_part_1_x1_part_2_x1_part_3_x1_buffer[sizes.part_1_x1_offset + index_0_2 * sizes.part_1_x1_stride_0 + index_1_2 * sizes.part_1_x1_stride_1 + index_2_2 * sizes.part_1_x1_stride_2 + index_3_2]) + (part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes.part_1_x2_offset + index_0_2 * sizes.part_1_x2_stride_0 + index_1_2 * sizes.part_1_x2_stride_1 + index_2_2 * sizes.part_1_x2_stride_2 + index_3_2] * part_0_x3_part_1_x3_part_2_x3_part_3_x3_buffer[sizes.part_1_x3_offset + index_0_2 * sizes.part_1_x3_stride_0 + index_1_2 * sizes.part_1_x3_stride_1 + index_2_2 * sizes.part_1_x3_stride_2 + index_3_2]));
    }
  }
  let part_2_end: i32 = part_1_end + (sizes.part_2_extent_0 * sizes.part_2_extent_1 * sizes.part_2_extent_2 * sizes.part_2_extent_3 + 63) / 64;
  if (item >= part_1_end && item < part_2_end) {
    let element_3: i32 = (item - part_1_end) * 64 + thread;
    let index_3_3: i32 = element_3 % sizes.part_2_extent_3;
    let rest_7: i32 = element_3 / sizes.part_2_extent_3;
    let index_2_3: i32 = rest_7 % sizes.part_2_extent_2;
    let rest_8: i32 = rest_7 / sizes.part_2_extent_2;
    let index_1_3: i32 = rest_8 % sizes.part_2_extent_1;
    let rest_9: i32 = rest_8 / sizes.part_2_extent_1;
    let index_0_3: i32 = rest_9;
    if (index_0_3 < sizes.part_2_extent_0) {
      part_2_result_part_3_result_buffer[sizes.part_2_result_offset + index_0_3 * sizes.part_2_result_stride_0 + index_1_3 * sizes.part_2_result_stride_1 + index_2_3 * sizes.part_2_result_stride_2 + index_3_3] = ((part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes.part_2_x0_offset + index_0_3 * sizes.part_2_x0_stride_0 + index_1_3 * sizes.part_2_x0_stride_1 + index_2_3 * sizes.part_2_x0_stride_2 + index_3_3] * part_0_x1_part_1_x1_part_2_x1_part_3_x1_buffer[sizes.part_2_x1_offset + index_0_3 * sizes.part_2_x1_stride_0 + index_1_3 * sizes.part_2_x1_stride_1 + index_2_3 * sizes.part_2_x1_stride_2 + index_3_3]) - (part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes.part_2_x2_offset + index_0_3 * sizes.part_2_x2_stride_0 + index_1_3 * sizes.part_2_x2_stride_1 + index_2_3 * sizes.part_2_x2_stride_2 + index_3_3] * part_0_x3_part_1_x3_part_2_x3_part_3_x3_buffer[sizes.part_2_x3_offset + index_0_3 * sizes.part_2_x3_stride_0 + index_1_3 * sizes.part_2_x3_stride_1 + index_2_3 * sizes.part_2_x3_stride_2 + index_3_3]));
    }
  }
  let part_3_end: i32 = part_2_end + (sizes.part_3_extent_0 * sizes.part_3_extent_1 * sizes.part_3_extent_2 * sizes.part_3_extent_3 + 63) / 64;
  if (item >= part_2_end && item < part_3_end) {
    let element_4: i32 = (item - part_2_end) * 64 + thread;
    let index_3_4: i32 = element_4 % sizes.part_3_extent_3;
    let rest_10: i32 = element_4 / sizes.part_3_extent_3;
    let index_2_4: i32 = rest_10 % sizes.part_3_extent_2;
    let rest_11: i32 = rest_10 / sizes.part_3_extent_2;
    let index_1_4: i32 = rest_11 % sizes.part_3_extent_1;
    let rest_12: i32 = rest_11 / sizes.part_3_extent_1;
    let index_0_4: i32 = rest_12;
    if (index_0_4 < sizes.part_3_extent_0) {
      part_2_result_part_3_result_buffer[sizes.part_3_result_offset + index_0_4 * sizes.part_3_result_stride_0 + index_1_4 * sizes.part_3_result_stride_1 + index_2_4 * sizes.part_3_result_stride_2 + index_3_4] = ((part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes.part_3_x0_offset + index_0_4 * sizes.part_3_x0_stride_0 + index_1_4 * sizes.part_3_x0_stride_1 + index_2_4 * sizes.part_3_x0_stride_2 + index_3_4] * part_0_x1_part_1_x1_part_2_x1_part_3_x1_buffer[sizes.part_3_x1_offset + index_0_4 * sizes.part_3_x1_stride_0 + index_1_4 * sizes.part_3_x1_stride_1 + index_2_4 * sizes.part_3_x1_stride_2 + index_3_4]) + (part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes.part_3_x2_offset + index_0_4 * sizes.part_3_x2_stride_0 + index_1_4 * sizes.part_3_x2_stride_1 + index_2_4 * sizes.part_3_x2_stride_2 + index_3_4] * part_0_x3_part_1_x3_part_2_x3_part_3_x3_buffer[sizes.part_3_x3_offset + index_0_4 * sizes.part_3_x3_stride_0 + index_1_4 * sizes.part_3_x3_stride_1 + index_2_4 * sizes.part_3_x3_stride_2 + index_3_4]));
    }
  }
  let part_4_end: i32 = part_3_end + (sizes.part_4_extent_0 * sizes.part_4_extent_1 * sizes.part_4_extent_2 * sizes.part_4_extent_3 + 63) / 64;
  if (item >= part_3_end && item < part_4_end) {
    let element_5: i32 = (item - part_3_end) * 64 + thread;
    let index_3_5: i32 = element_5 % sizes.part_4_extent_3;
    let rest_13: i32 = element_5 / sizes.part_4_extent_3;
    let index_2_5: i32 = rest_13 % sizes.part_4_extent_2;
    let rest_14: i32 = rest_13 / sizes.part_4_extent_2;
    let index_1_5: i32 = rest_14 % sizes.part_4_extent_1;
    let rest_15: i32 = rest_14 / sizes.part_4_extent_1;
    let index_0_5: i32 = rest_15;
    if (index_0_5 < sizes.part_4_extent_0) {
      part_4_result_buffer[sizes.part_4_result_offset + index_0_5 * sizes.part_4_result_stride_0 + index_1_5 * sizes.part_4_result_stride_1 + index_2_5 * sizes.part_4_result_stride_2 + index_3_5] = part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes.part_4_x0_offset + index_0_5 * sizes.part_4_x0_stride_0 + index_1_5 * sizes.part_4_x0_stride_1 + index_2_5 * sizes.part_4_x0_stride_2 + index_3_5];
    }
  }
}

// === kernel attention_keys_causal ===
// attention_keys_causal
// Attention of 16 queries of one head a workgroup, 64 keys at a time.

struct Sizes {
  items: i32,
  query_offset: i32,
  key_offset: i32,
  value_offset: i32,
  result_offset: i32,
  batches: i32,
  heads: i32,
  key_heads: i32,
  queries: i32,
  query_batch: i32,
  query_head: i32,
  query_row: i32,
  result_batch: i32,
  result_head: i32,
  result_row: i32,
  keys: i32,
  key_batch: i32,
  key_head: i32,
  key_row: i32,
  value_batch: i32,
  value_head: i32,
  value_row: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> query_buffer: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> key_buffer: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> value_buffer: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> result_buffer: array<vec4<f32>>;

var<workgroup> weights: array<vec4<f32>, 256>;
var<workgroup> staged_queries: array<vec4<f32>, 72>;
var<workgroup> staged_keys: array<vec4<f32>, 264>;
var<workgroup> lane_values: array<vec4<f32>, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let tiles: i32 = ((sizes.queries + 15) / 16);
  let batch: i32 = item / tiles / sizes.heads;
  let head: i32 = item / tiles % sizes.heads;
  let key_head: i32 = head / (sizes.heads / sizes.key_heads);
  let first_query: i32 = item % tiles * 16;
  let rows: i32 = min(16, sizes.queries - first_query);
  let row_group: i32 = thread / 16;
  let lane: i32 = thread % 16;
  let column_lane: i32 = lane % 2;
  let split: i32 = lane / 2;
  let query_start: i32 = batch * sizes.query_batch + head * sizes.query_head;
  var maximum: vec4<f32> = vec4<f32>((-4.999999840142846e+37));
  var total: vec4<f32> = vec4<f32>();
  var sum_0_0: vec4<f32> = vec4<f32>();
  var sum_1_0: vec4<f32> = vec4<f32>();
  var sum_2_0: vec4<f32> = vec4<f32>();
  var sum_3_0: vec4<f32> = vec4<f32>();
  // Segment of keys
  let first_stand: i32 = first_query + sizes.keys - sizes.queries;
  let own_stand: i32 = first_stand + row_group * 4;
  let end_key: i32 = min(sizes.keys, first_stand + rows);
  let key_start: i32 = batch * sizes.key_batch + key_head * sizes.key_head;
  let value_start: i32 = batch * sizes.value_batch + key_head * sizes.value_head;
  for (var tile: i32 = 0; tile < end_key; tile += 64) {
    let count: i32 = min(64, end_key - tile);
    var score_0: vec4<f32> = vec4<f32>();
    var score_1: vec4<f32> = vec4<f32>();
    var score_2: vec4<f32> = vec4<f32>();
    var score_3: vec4<f32> = vec4<f32>();
    for (var column: i32 = 0; column < 8; column += 8) {
      workgroupBarrier();
      for (var slot: i32 = thread; slot < 32; slot += 64) {
        let row: i32 = slot / 2;
        let part: i32 = slot % 2;
        let from_2: i32 = query_start + (first_query + min(row, rows - 1)) * sizes.query_row;
        let own_column: i32 = column + part * 4;
        staged_queries[part * 18 + row] = query_buffer[(sizes.query_offset + from_2 + own_column) >> 2u];
      }
      for (var slot: i32 = thread; slot < 128; slot += 64) {
        let row_2: i32 = slot / 2;
        let part_2: i32 = slot % 2;
        let from_3: i32 = key_start + (tile + min(row_2, count - 1)) * sizes.key_row;
        let own_column_2: i32 = column + part_2 * 4;
        staged_keys[part_2 * 66 + row_2] = key_buffer[(sizes.key_offset + from_3 + own_column_2) >> 2u];
      }
      workgroupBarrier();
      for (var part_3: i32 = 0; part_3 < 2; part_3 += 1) {
        let query_0: vec4<f32> = staged_queries[part_3 * 18 + row_group * 4 + 0];
        let query_1: vec4<f32> = staged_queries[part_3 * 18 + row_group * 4 + 1];
        let query_2: vec4<f32> = staged_queries[part_3 * 18 + row_group * 4 + 2];
        let query_3: vec4<f32> = staged_queries[part_3 * 18 + row_group * 4 + 3];
        let key_2: vec4<f32> = staged_keys[part_3 * 66 + lane];
        score_0 += vec4<f32>(dot(query_0, key_2), dot(query_1, key_2), dot(query_2, key_2), dot(query_3, key_2));
        let key_3: vec4<f32> = staged_keys[part_3 * 66 + lane + 16];
        score_1 += vec4<f32>(dot(query_0, key_3), dot(query_1, key_3), dot(query_2, key_3), dot(query_3, key_3));
        let key_4: vec4<f32> = staged_keys[part_3 * 66 + lane + 32];
        score_2 += vec4<f32>(dot(query_0, key_4), dot(query_1, key_4), dot(query_2, key_4), dot(query_3, key_4));
        let key_5: vec4<f32> = staged_keys[part_3 * 66 + lane + 48];
        score_3 += vec4<f32>(dot(query_0, key_5), dot(query_1, key_5), dot(query_2, key_5), dot(query_3, key_5));
      }
    }
    let key_6: i32 = tile + lane;
    score_0 = score_0 * 0.3535533845424652;
    let seen: bool = lane < count;
    score_0 = vec4<f32>(select((-9.999999680285692e+37), score_0.x, seen & (key_6 <= own_stand)), select((-9.999999680285692e+37), score_0.y, seen & (key_6 <= own_stand + 1)), select((-9.999999680285692e+37), score_0.z, seen & (key_6 <= own_stand + 2)), select((-9.999999680285692e+37), score_0.w, seen & (key_6 <= own_stand + 3)));
    let key_7: i32 = tile + (lane + 16);
    score_1 = score_1 * 0.3535533845424652;
    let seen_2: bool = (lane + 16) < count;
    score_1 = vec4<f32>(select((-9.999999680285692e+37), score_1.x, seen_2 & (key_7 <= own_stand)), select((-9.999999680285692e+37), score_1.y, seen_2 & (key_7 <= own_stand + 1)), select((-9.999999680285692e+37), score_1.z, seen_2 & (key_7 <= own_stand + 2)), select((-9.999999680285692e+37), score_1.w, seen_2 & (key_7 <= own_stand + 3)));
    let key_8: i32 = tile + (lane + 32);
    score_2 = score_2 * 0.3535533845424652;
    let seen_3: bool = (lane + 32) < count;
    score_2 = vec4<f32>(select((-9.999999680285692e+37), score_2.x, seen_3 & (key_8 <= own_stand)), select((-9.999999680285692e+37), score_2.y, seen_3 & (key_8 <= own_stand + 1)), select((-9.999999680285692e+37), score_2.z, seen_3 & (key_8 <= own_stand + 2)), select((-9.999999680285692e+37), score_2.w, seen_3 & (key_8 <= own_stand + 3)));
    let key_9: i32 = tile + (lane + 48);
    score_3 = score_3 * 0.3535533845424652;
    let seen_4: bool = (lane + 48) < count;
    score_3 = vec4<f32>(select((-9.999999680285692e+37), score_3.x, seen_4 & (key_9 <= own_stand)), select((-9.999999680285692e+37), score_3.y, seen_4 & (key_9 <= own_stand + 1)), select((-9.999999680285692e+37), score_3.z, seen_4 & (key_9 <= own_stand + 2)), select((-9.999999680285692e+37), score_3.w, seen_4 & (key_9 <= own_stand + 3)));
    var tile_maximum: vec4<f32> = max(max(max(score_0, score_1), score_2), score_3);
    lane_values[thread] = tile_maximum;
    workgroupBarrier();
    let start: i32 = thread / 16 * 16;
    var group_maximum: vec4<f32> = lane_values[start];
    for (var other: i32 = 1; other < 16; other += 1) {
      group_maximum = max(group_maximum, lane_values[start + other]);
    }
    let raised: vec4<f32> = max(maximum, group_maximum);
    let factor: vec4<f32> = exp(maximum - raised);
    maximum = raised;
    total = total * factor;
    sum_0_0 = sum_0_0 * factor.x;
    sum_1_0 = sum_1_0 * factor.y;
    sum_2_0 = sum_2_0 * factor.z;
    sum_3_0 = sum_3_0 * factor.w;
    let weight: vec4<f32> = exp(score_0 - maximum);
    total += weight;
    weights[row_group * 64 + lane] = weight;
    let weight_2: vec4<f32> = exp(score_1 - maximum);
    total += weight_2;
    weights[row_group * 64 + (lane + 16)] = weight_2;
    let weight_3: vec4<f32> = exp(score_2 - maximum);
    total += weight_3;
    weights[row_group * 64 + (lane + 32)] = weight_3;
    let weight_4: vec4<f32> = exp(score_3 - maximum);
    total += weight_4;
    weights[row_group * 64 + (lane + 48)] = weight_4;
    workgroupBarrier();
    for (var number: i32 = split; number < count; number += 8) {
      let weight_5: vec4<f32> = weights[row_group * 64 + number];
      let from_4: i32 = value_start + (tile + number) * sizes.value_row;
      let value_0: vec4<f32> = value_buffer[(sizes.value_offset + from_4 + column_lane * 4) >> 2u];
      sum_0_0 += weight_5.x * value_0;
      sum_1_0 += weight_5.y * value_0;
      sum_2_0 += weight_5.z * value_0;
      sum_3_0 += weight_5.w * value_0;
    }
  }
  workgroupBarrier();
  lane_values[thread] = total;
  workgroupBarrier();
  let start_2: i32 = thread / 16 * 16;
  var row_total: vec4<f32> = lane_values[start_2];
  for (var other: i32 = 1; other < 16; other += 1) {
    row_total = row_total + lane_values[start_2 + other];
  }
  // a query that sees no key has a total of 0: zeros
  let inverse: vec4<f32> = vec4<f32>(select(0.0, 1.0 / row_total.x, row_total.x > 0.0), select(0.0, 1.0 / row_total.y, row_total.y > 0.0), select(0.0, 1.0 / row_total.z, row_total.z > 0.0), select(0.0, 1.0 / row_total.w, row_total.w > 0.0));
  let result_start: i32 = batch * sizes.result_batch + head * sizes.result_head;
  workgroupBarrier();
  lane_values[thread] = sum_0_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 0 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 8; other += 1) {
      sum_0_0 += lane_values[thread + other * 2];
    }
    let place: i32 = result_start + (first_query + row_group * 4 + 0) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place) >> 2u] = sum_0_0 * inverse.x;
  }
  workgroupBarrier();
  lane_values[thread] = sum_1_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 1 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 8; other += 1) {
      sum_1_0 += lane_values[thread + other * 2];
    }
    let place_2: i32 = result_start + (first_query + row_group * 4 + 1) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place_2) >> 2u] = sum_1_0 * inverse.y;
  }
  workgroupBarrier();
  lane_values[thread] = sum_2_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 2 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 8; other += 1) {
      sum_2_0 += lane_values[thread + other * 2];
    }
    let place_3: i32 = result_start + (first_query + row_group * 4 + 2) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place_3) >> 2u] = sum_2_0 * inverse.z;
  }
  workgroupBarrier();
  lane_values[thread] = sum_3_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 3 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 8; other += 1) {
      sum_3_0 += lane_values[thread + other * 2];
    }
    let place_4: i32 = result_start + (first_query + row_group * 4 + 3) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place_4) >> 2u] = sum_3_0 * inverse.w;
  }
}

// === kernel gemm_q4_residual ===
// gemm_q4_residual
// left [rows, depth] x right [columns, depth]^T, the right side of q4 in blocks of 32 with minima.
// A tile of 32 x 64 a workgroup.

struct Sizes {
  items: i32,
  left_offset: i32,
  quants_offset: i32,
  scales_offset: i32,
  minima_offset: i32,
  residual_offset: i32,
  result_offset: i32,
  rows: i32,
  columns: i32,
  depth: i32,
  left_stride: i32,
  result_stride: i32,
  residual_stride: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> left_buffer: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> quants_buffer: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> scales_buffer: array<f32>;
@group(0) @binding(4) var<storage, read> minima_buffer: array<f32>;
@group(0) @binding(5) var<storage, read> residual_buffer: array<f32>;
@group(0) @binding(6) var<storage, read_write> result_buffer: array<f32>;

var<workgroup> left_tile: array<vec4<f32>, 288>;
var<workgroup> right_tile: array<vec4<f32>, 576>;

fn unpack_low_nibbles(word: u32, scale: f32, minimum: f32) -> vec4<f32> {
  let quant_0: f32 = f32((word >> 0u) & 15u);
  let quant_1: f32 = f32((word >> 8u) & 15u);
  let quant_2: f32 = f32((word >> 16u) & 15u);
  let quant_3: f32 = f32((word >> 24u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

fn unpack_high_nibbles(word: u32, scale: f32, minimum: f32) -> vec4<f32> {
  let quant_0: f32 = f32((word >> 4u) & 15u);
  let quant_1: f32 = f32((word >> 12u) & 15u);
  let quant_2: f32 = f32((word >> 20u) & 15u);
  let quant_3: f32 = f32((word >> 28u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

fn multiply_add(a: vec4<f32>, b: vec4<f32>, sum: f32) -> f32 {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}

@compute @workgroup_size(128)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let row_tiles: i32 = ((sizes.rows + 31) / 32);
  let first_row: i32 = item % row_tiles * 32;
  let first_column: i32 = item / row_tiles * 64;
  let thread_row: i32 = thread / 16;
  let thread_column: i32 = thread % 16;
  var sum_0_0: f32 = f32();
  var sum_0_1: f32 = f32();
  var sum_0_2: f32 = f32();
  var sum_0_3: f32 = f32();
  var sum_1_0: f32 = f32();
  var sum_1_1: f32 = f32();
  var sum_1_2: f32 = f32();
  var sum_1_3: f32 = f32();
  var sum_2_0: f32 = f32();
  var sum_2_1: f32 = f32();
  var sum_2_2: f32 = f32();
  var sum_2_3: f32 = f32();
  var sum_3_0: f32 = f32();
  var sum_3_1: f32 = f32();
  var sum_3_2: f32 = f32();
  var sum_3_3: f32 = f32();
  for (var depth_start: i32 = 0; depth_start < sizes.depth; depth_start += 32) {
    for (var run: i32 = thread; run < 256; run += 128) {
      let tile_row: i32 = run / 8;
      let within: i32 = run % 8 * 4;
      let place: i32 = depth_start + within;
      let at: i32 = tile_row * 9 + within / 4;
      if (place < sizes.depth) {
        let row: i32 = min(first_row + tile_row, sizes.rows - 1);
        let start: i32 = row * sizes.left_stride + place;
        left_tile[at + 0] = left_buffer[(sizes.left_offset + start) >> 2u];
      } else {
        left_tile[at + 0] = vec4<f32>(0.0);
      }
    }
    for (var run: i32 = thread; run < 64; run += 128) {
      let tile_row_2: i32 = run / 1;
      let within_2: i32 = run % 1 * 32;
      let place_2: i32 = depth_start + within_2;
      let at_2: i32 = tile_row_2 * 9 + within_2 / 4;
      if (place_2 < sizes.depth) {
        let row_2: i32 = min(first_column + tile_row_2, sizes.columns - 1);
        let words: vec4<u32> = quants_buffer[(sizes.quants_offset + (row_2 * sizes.depth + place_2) / 8) >> 2u];
        let block: i32 = (row_2 * sizes.depth + place_2) / 32;
        let scale: f32 = scales_buffer[sizes.scales_offset + block];
        let minimum: f32 = minima_buffer[sizes.minima_offset + block];
        right_tile[at_2 + 0] = unpack_low_nibbles(words.x, scale, minimum);
        right_tile[at_2 + 1] = unpack_low_nibbles(words.y, scale, minimum);
        right_tile[at_2 + 2] = unpack_low_nibbles(words.z, scale, minimum);
        right_tile[at_2 + 3] = unpack_low_nibbles(words.w, scale, minimum);
        right_tile[at_2 + 4] = unpack_high_nibbles(words.x, scale, minimum);
        right_tile[at_2 + 5] = unpack_high_nibbles(words.y, scale, minimum);
        right_tile[at_2 + 6] = unpack_high_nibbles(words.z, scale, minimum);
        right_tile[at_2 + 7] = unpack_high_nibbles(words.w, scale, minimum);
      } else {
        right_tile[at_2 + 0] = vec4<f32>(0.0);
        right_tile[at_2 + 1] = vec4<f32>(0.0);
        right_tile[at_2 + 2] = vec4<f32>(0.0);
        right_tile[at_2 + 3] = vec4<f32>(0.0);
        right_tile[at_2 + 4] = vec4<f32>(0.0);
        right_tile[at_2 + 5] = vec4<f32>(0.0);
        right_tile[at_2 + 6] = vec4<f32>(0.0);
        right_tile[at_2 + 7] = vec4<f32>(0.0);
      }
    }
    workgroupBarrier();
    for (var quad: i32 = 0; quad < 8; quad += 1) {
      let left_at: i32 = thread_row * 9 + quad;
      let right_at: i32 = thread_column * 9 + quad;
      let right_0: vec4<f32> = right_tile[right_at + 0];
      let right_1: vec4<f32> = right_tile[right_at + 144];
      let right_2: vec4<f32> = right_tile[right_at + 288];
      let right_3: vec4<f32> = right_tile[right_at + 432];
      let left_0: vec4<f32> = left_tile[left_at + 0];
      sum_0_0 = multiply_add(left_0, right_0, sum_0_0);
      sum_0_1 = multiply_add(left_0, right_1, sum_0_1);
      sum_0_2 = multiply_add(left_0, right_2, sum_0_2);
      sum_0_3 = multiply_add(left_0, right_3, sum_0_3);
      let left_1: vec4<f32> = left_tile[left_at + 72];
      sum_1_0 = multiply_add(left_1, right_0, sum_1_0);
      sum_1_1 = multiply_add(left_1, right_1, sum_1_1);
      sum_1_2 = multiply_add(left_1, right_2, sum_1_2);
      sum_1_3 = multiply_add(left_1, right_3, sum_1_3);
      let left_2: vec4<f32> = left_tile[left_at + 144];
      sum_2_0 = multiply_add(left_2, right_0, sum_2_0);
      sum_2_1 = multiply_add(left_2, right_1, sum_2_1);
      sum_2_2 = multiply_add(left_2, right_2, sum_2_2);
      sum_2_3 = multiply_add(left_2, right_3, sum_2_3);
      let left_3: vec4<f32> = left_tile[left_at + 216];
      sum_3_0 = multiply_add(left_3, right_0, sum_3_0);
      sum_3_1 = multiply_add(left_3, right_1, sum_3_1);
      sum_3_2 = multiply_add(left_3, right_2, sum_3_2);
      sum_3_3 = multiply_add(left_3, right_3, sum_3_3);
    }
    workgroupBarrier();
  }
  let column: i32 = first_column + thread_column + 0;
  if (column < sizes.columns) {
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column] = sum_0_0 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 0) * sizes.residual_stride + column];
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column] = sum_1_0 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 8) * sizes.residual_stride + column];
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column] = sum_2_0 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 16) * sizes.residual_stride + column];
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column] = sum_3_0 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 24) * sizes.residual_stride + column];
    }
  }
  let column_2: i32 = first_column + thread_column + 16;
  if (column_2 < sizes.columns) {
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column_2] = sum_0_1 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 0) * sizes.residual_stride + column_2];
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column_2] = sum_1_1 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 8) * sizes.residual_stride + column_2];
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column_2] = sum_2_1 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 16) * sizes.residual_stride + column_2];
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column_2] = sum_3_1 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 24) * sizes.residual_stride + column_2];
    }
  }
  let column_3: i32 = first_column + thread_column + 32;
  if (column_3 < sizes.columns) {
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column_3] = sum_0_2 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 0) * sizes.residual_stride + column_3];
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column_3] = sum_1_2 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 8) * sizes.residual_stride + column_3];
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column_3] = sum_2_2 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 16) * sizes.residual_stride + column_3];
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column_3] = sum_3_2 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 24) * sizes.residual_stride + column_3];
    }
  }
  let column_4: i32 = first_column + thread_column + 48;
  if (column_4 < sizes.columns) {
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column_4] = sum_0_3 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 0) * sizes.residual_stride + column_4];
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column_4] = sum_1_3 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 8) * sizes.residual_stride + column_4];
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column_4] = sum_2_3 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 16) * sizes.residual_stride + column_4];
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column_4] = sum_3_3 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 24) * sizes.residual_stride + column_4];
    }
  }
}

// === kernel map_silu_multiply ===
// map_silu_multiply
// One element a thread.

struct Sizes {
  items: i32,
  x0_offset: i32,
  x1_offset: i32,
  result_offset: i32,
  extent_0: i32,
  extent_1: i32,
  extent_2: i32,
  x0_stride_0: i32,
  x0_stride_1: i32,
  x0_stride_2: i32,
  x1_stride_0: i32,
  x1_stride_1: i32,
  x1_stride_2: i32,
  result_stride_0: i32,
  result_stride_1: i32,
  result_stride_2: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x0_x1_buffer: array<f32>;
@group(0) @binding(2) var<storage, read_write> result_buffer: array<f32>;

fn silu_f32(x: f32) -> f32 {
  return x / (1.0 + exp(-x));
}

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let element: i32 = item * 64 + thread;
  let index_2: i32 = element % sizes.extent_2;
  let rest: i32 = element / sizes.extent_2;
  let index_1: i32 = rest % sizes.extent_1;
  let rest_2: i32 = rest / sizes.extent_1;
  let index_0: i32 = rest_2;
  if (index_0 < sizes.extent_0) {
    result_buffer[sizes.result_offset + index_0 * sizes.result_stride_0 + index_1 * sizes.result_stride_1 + index_2] = (silu_f32(x0_x1_buffer[sizes.x0_offset + index_0 * sizes.x0_stride_0 + index_1 * sizes.x0_stride_1 + index_2]) * x0_x1_buffer[sizes.x1_offset + index_0 * sizes.x1_stride_0 + index_1 * sizes.x1_stride_1 + index_2]);
  }
}

// === kernel gemm_q4_residual_2 ===
// gemm_q4_residual_2
// left [rows, depth] x right [columns, depth]^T, the right side of q4 in blocks of 32 with minima.
// 16 columns a workgroup, 16 threads side by side share the depth of each.

struct Sizes {
  items: i32,
  left_offset: i32,
  quants_offset: i32,
  scales_offset: i32,
  minima_offset: i32,
  residual_offset: i32,
  result_offset: i32,
  rows: i32,
  columns: i32,
  depth: i32,
  left_stride: i32,
  result_stride: i32,
  residual_stride: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> left_buffer: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> quants_buffer: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> scales_buffer: array<f32>;
@group(0) @binding(4) var<storage, read> minima_buffer: array<f32>;
@group(0) @binding(5) var<storage, read> residual_buffer: array<f32>;
@group(0) @binding(6) var<storage, read_write> result_buffer: array<f32>;

var<workgroup> exchanged_values: array<f32, 256>;

fn unpack_low_nibbles(word: u32, scale: f32, minimum: f32) -> vec4<f32> {
  let quant_0: f32 = f32((word >> 0u) & 15u);
  let quant_1: f32 = f32((word >> 8u) & 15u);
  let quant_2: f32 = f32((word >> 16u) & 15u);
  let quant_3: f32 = f32((word >> 24u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

fn unpack_high_nibbles(word: u32, scale: f32, minimum: f32) -> vec4<f32> {
  let quant_0: f32 = f32((word >> 4u) & 15u);
  let quant_1: f32 = f32((word >> 12u) & 15u);
  let quant_2: f32 = f32((word >> 20u) & 15u);
  let quant_3: f32 = f32((word >> 28u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

fn multiply_add(a: vec4<f32>, b: vec4<f32>, sum: f32) -> f32 {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let row_tiles: i32 = ((sizes.rows + 0) / 1);
  let first_row: i32 = item % row_tiles * 1;
  let first_column: i32 = item / row_tiles * 16 + thread / 16 * 4;
  let share: i32 = thread % 16;
  var sum_0_0: f32 = f32();
  var sum_0_1: f32 = f32();
  var sum_0_2: f32 = f32();
  var sum_0_3: f32 = f32();
  let row_0: i32 = min(first_row + 0, sizes.rows - 1);
  let column_0: i32 = min(first_column + 0, sizes.columns - 1);
  let column_1: i32 = min(first_column + 1, sizes.columns - 1);
  let column_2: i32 = min(first_column + 2, sizes.columns - 1);
  let column_3: i32 = min(first_column + 3, sizes.columns - 1);
  for (var place: i32 = share * 32; place < sizes.depth; place += 512) {
    let words: vec4<u32> = quants_buffer[(sizes.quants_offset + (column_0 * sizes.depth + place) / 8) >> 2u];
    let block: i32 = (column_0 * sizes.depth + place) / 32;
    let scale: f32 = scales_buffer[sizes.scales_offset + block];
    let minimum: f32 = minima_buffer[sizes.minima_offset + block];
    let words_2: vec4<u32> = quants_buffer[(sizes.quants_offset + (column_1 * sizes.depth + place) / 8) >> 2u];
    let block_2: i32 = (column_1 * sizes.depth + place) / 32;
    let scale_2: f32 = scales_buffer[sizes.scales_offset + block_2];
    let minimum_2: f32 = minima_buffer[sizes.minima_offset + block_2];
    let words_3: vec4<u32> = quants_buffer[(sizes.quants_offset + (column_2 * sizes.depth + place) / 8) >> 2u];
    let block_3: i32 = (column_2 * sizes.depth + place) / 32;
    let scale_3: f32 = scales_buffer[sizes.scales_offset + block_3];
    let minimum_3: f32 = minima_buffer[sizes.minima_offset + block_3];
    let words_4: vec4<u32> = quants_buffer[(sizes.quants_offset + (column_3 * sizes.depth + place) / 8) >> 2u];
    let block_4: i32 = (column_3 * sizes.depth + place) / 32;
    let scale_4: f32 = scales_buffer[sizes.scales_offset + block_4];
    let minimum_4: f32 = minima_buffer[sizes.minima_offset + block_4];
    let start: i32 = row_0 * sizes.left_stride + place;
    let left_0: vec4<f32> = left_buffer[(sizes.left_offset + start) >> 2u];
    let right_0: vec4<f32> = unpack_low_nibbles(words.x, scale, minimum);
    sum_0_0 = multiply_add(left_0, right_0, sum_0_0);
    let right_1: vec4<f32> = unpack_low_nibbles(words_2.x, scale_2, minimum_2);
    sum_0_1 = multiply_add(left_0, right_1, sum_0_1);
    let right_2: vec4<f32> = unpack_low_nibbles(words_3.x, scale_3, minimum_3);
    sum_0_2 = multiply_add(left_0, right_2, sum_0_2);
    let right_3: vec4<f32> = unpack_low_nibbles(words_4.x, scale_4, minimum_4);
    sum_0_3 = multiply_add(left_0, right_3, sum_0_3);
    let start_2: i32 = row_0 * sizes.left_stride + (place + 4);
    let left_0_2: vec4<f32> = left_buffer[(sizes.left_offset + start_2) >> 2u];
    let right_0_2: vec4<f32> = unpack_low_nibbles(words.y, scale, minimum);
    sum_0_0 = multiply_add(left_0_2, right_0_2, sum_0_0);
    let right_1_2: vec4<f32> = unpack_low_nibbles(words_2.y, scale_2, minimum_2);
    sum_0_1 = multiply_add(left_0_2, right_1_2, sum_0_1);
    let right_2_2: vec4<f32> = unpack_low_nibbles(words_3.y, scale_3, minimum_3);
    sum_0_2 = multiply_add(left_0_2, right_2_2, sum_0_2);
    let right_3_2: vec4<f32> = unpack_low_nibbles(words_4.y, scale_4, minimum_4);
    sum_0_3 = multiply_add(left_0_2, right_3_2, sum_0_3);
    let start_3: i32 = row_0 * sizes.left_stride + (place + 8);
    let left_0_3: vec4<f32> = left_buffer[(sizes.left_offset + start_3) >> 2u];
    let right_0_3: vec4<f32> = unpack_low_nibbles(words.z, scale, minimum);
    sum_0_0 = multiply_add(left_0_3, right_0_3, sum_0_0);
    let right_1_3: vec4<f32> = unpack_low_nibbles(words_2.z, scale_2, minimum_2);
    sum_0_1 = multiply_add(left_0_3, right_1_3, sum_0_1);
    let right_2_3: vec4<f32> = unpack_low_nibbles(words_3.z, scale_3, minimum_3);
    sum_0_2 = multiply_add(left_0_3, right_2_3, sum_0_2);
    let right_3_3: vec4<f32> = unpack_low_nibbles(words_4.z, scale_4, minimum_4);
    sum_0_3 = multiply_add(left_0_3, right_3_3, sum_0_3);
    let start_4: i32 = row_0 * sizes.left_stride + (place + 12);
    let left_0_4: vec4<f32> = left_buffer[(sizes.left_offset + start_4) >> 2u];
    let right_0_4: vec4<f32> = unpack_low_nibbles(words.w, scale, minimum);
    sum_0_0 = multiply_add(left_0_4, right_0_4, sum_0_0);
    let right_1_4: vec4<f32> = unpack_low_nibbles(words_2.w, scale_2, minimum_2);
    sum_0_1 = multiply_add(left_0_4, right_1_4, sum_0_1);
    let right_2_4: vec4<f32> = unpack_low_nibbles(words_3.w, scale_3, minimum_3);
    sum_0_2 = multiply_add(left_0_4, right_2_4, sum_0_2);
    let right_3_4: vec4<f32> = unpack_low_nibbles(words_4.w, scale_4, minimum_4);
    sum_0_3 = multiply_add(left_0_4, right_3_4, sum_0_3);
    let start_5: i32 = row_0 * sizes.left_stride + (place + 16);
    let left_0_5: vec4<f32> = left_buffer[(sizes.left_offset + start_5) >> 2u];
    let right_0_5: vec4<f32> = unpack_high_nibbles(words.x, scale, minimum);
    sum_0_0 = multiply_add(left_0_5, right_0_5, sum_0_0);
    let right_1_5: vec4<f32> = unpack_high_nibbles(words_2.x, scale_2, minimum_2);
    sum_0_1 = multiply_add(left_0_5, right_1_5, sum_0_1);
    let right_2_5: vec4<f32> = unpack_high_nibbles(words_3.x, scale_3, minimum_3);
    sum_0_2 = multiply_add(left_0_5, right_2_5, sum_0_2);
    let right_3_5: vec4<f32> = unpack_high_nibbles(words_4.x, scale_4, minimum_4);
    sum_0_3 = multiply_add(left_0_5, right_3_5, sum_0_3);
    let start_6: i32 = row_0 * sizes.left_stride + (place + 20);
    let left_0_6: vec4<f32> = left_buffer[(sizes.left_offset + start_6) >> 2u];
    let right_0_6: vec4<f32> = unpack_high_nibbles(words.y, scale, minimum);
    sum_0_0 = multiply_add(left_0_6, right_0_6, sum_0_0);
    let right_1_6: vec4<f32> = unpack_high_nibbles(words_2.y, scale_2, minimum_2);
    sum_0_1 = multiply_add(left_0_6, right_1_6, sum_0_1);
    let right_2_6: vec4<f32> = unpack_high_nibbles(words_3.y, scale_3, minimum_3);
    sum_0_2 = multiply_add(left_0_6, right_2_6, sum_0_2);
    let right_3_6: vec4<f32> = unpack_high_nibbles(words_4.y, scale_4, minimum_4);
    sum_0_3 = multiply_add(left_0_6, right_3_6, sum_0_3);
    let start_7: i32 = row_0 * sizes.left_stride + (place + 24);
    let left_0_7: vec4<f32> = left_buffer[(sizes.left_offset + start_7) >> 2u];
    let right_0_7: vec4<f32> = unpack_high_nibbles(words.z, scale, minimum);
    sum_0_0 = multiply_add(left_0_7, right_0_7, sum_0_0);
    let right_1_7: vec4<f32> = unpack_high_nibbles(words_2.z, scale_2, minimum_2);
    sum_0_1 = multiply_add(left_0_7, right_1_7, sum_0_1);
    let right_2_7: vec4<f32> = unpack_high_nibbles(words_3.z, scale_3, minimum_3);
    sum_0_2 = multiply_add(left_0_7, right_2_7, sum_0_2);
    let right_3_7: vec4<f32> = unpack_high_nibbles(words_4.z, scale_4, minimum_4);
    sum_0_3 = multiply_add(left_0_7, right_3_7, sum_0_3);
    let start_8: i32 = row_0 * sizes.left_stride + (place + 28);
    let left_0_8: vec4<f32> = left_buffer[(sizes.left_offset + start_8) >> 2u];
    let right_0_8: vec4<f32> = unpack_high_nibbles(words.w, scale, minimum);
    sum_0_0 = multiply_add(left_0_8, right_0_8, sum_0_0);
    let right_1_8: vec4<f32> = unpack_high_nibbles(words_2.w, scale_2, minimum_2);
    sum_0_1 = multiply_add(left_0_8, right_1_8, sum_0_1);
    let right_2_8: vec4<f32> = unpack_high_nibbles(words_3.w, scale_3, minimum_3);
    sum_0_2 = multiply_add(left_0_8, right_2_8, sum_0_2);
    let right_3_8: vec4<f32> = unpack_high_nibbles(words_4.w, scale_4, minimum_4);
    sum_0_3 = multiply_add(left_0_8, right_3_8, sum_0_3);
  }
  var mask: i32 = 1;
  while (mask < 16) {
    exchanged_values[thread] = sum_0_0;
    exchanged_values[64 + thread] = sum_0_1;
    exchanged_values[128 + thread] = sum_0_2;
    exchanged_values[192 + thread] = sum_0_3;
    workgroupBarrier();
    sum_0_0 = sum_0_0 + exchanged_values[(thread ^ mask)];
    sum_0_1 = sum_0_1 + exchanged_values[64 + (thread ^ mask)];
    sum_0_2 = sum_0_2 + exchanged_values[128 + (thread ^ mask)];
    sum_0_3 = sum_0_3 + exchanged_values[192 + (thread ^ mask)];
    workgroupBarrier();
    mask = mask * 2;
  }
  let column: i32 = first_column + 0;
  if (share == 0 && column < sizes.columns) {
    if ((first_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + 0) * sizes.result_stride + column] = sum_0_0 + residual_buffer[sizes.residual_offset + (first_row + 0) * sizes.residual_stride + column];
    }
  }
  let column_4: i32 = first_column + 1;
  if (share == 1 && column_4 < sizes.columns) {
    if ((first_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + 0) * sizes.result_stride + column_4] = sum_0_1 + residual_buffer[sizes.residual_offset + (first_row + 0) * sizes.residual_stride + column_4];
    }
  }
  let column_5: i32 = first_column + 2;
  if (share == 2 && column_5 < sizes.columns) {
    if ((first_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + 0) * sizes.result_stride + column_5] = sum_0_2 + residual_buffer[sizes.residual_offset + (first_row + 0) * sizes.residual_stride + column_5];
    }
  }
  let column_6: i32 = first_column + 3;
  if (share == 3 && column_6 < sizes.columns) {
    if ((first_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + 0) * sizes.result_stride + column_6] = sum_0_3 + residual_buffer[sizes.residual_offset + (first_row + 0) * sizes.residual_stride + column_6];
    }
  }
}

// === kernel gemm_q4_2 ===
// gemm_q4_2
// left [rows, depth] x right [columns, depth]^T, the right side of q4 in blocks of 32 with minima.
// 16 columns a workgroup, 16 threads side by side share the depth of each.

struct Sizes {
  items: i32,
  left_offset: i32,
  quants_offset: i32,
  scales_offset: i32,
  minima_offset: i32,
  result_offset: i32,
  rows: i32,
  columns: i32,
  depth: i32,
  left_stride: i32,
  result_stride: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> left_buffer: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> quants_buffer: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> scales_buffer: array<f32>;
@group(0) @binding(4) var<storage, read> minima_buffer: array<f32>;
@group(0) @binding(5) var<storage, read_write> result_buffer: array<f32>;

var<workgroup> exchanged_values: array<f32, 256>;

fn unpack_low_nibbles(word: u32, scale: f32, minimum: f32) -> vec4<f32> {
  let quant_0: f32 = f32((word >> 0u) & 15u);
  let quant_1: f32 = f32((word >> 8u) & 15u);
  let quant_2: f32 = f32((word >> 16u) & 15u);
  let quant_3: f32 = f32((word >> 24u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

fn unpack_high_nibbles(word: u32, scale: f32, minimum: f32) -> vec4<f32> {
  let quant_0: f32 = f32((word >> 4u) & 15u);
  let quant_1: f32 = f32((word >> 12u) & 15u);
  let quant_2: f32 = f32((word >> 20u) & 15u);
  let quant_3: f32 = f32((word >> 28u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

fn multiply_add(a: vec4<f32>, b: vec4<f32>, sum: f32) -> f32 {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let row_tiles: i32 = ((sizes.rows + 0) / 1);
  let first_row: i32 = item % row_tiles * 1;
  let first_column: i32 = item / row_tiles * 16 + thread / 16 * 4;
  let share: i32 = thread % 16;
  var sum_0_0: f32 = f32();
  var sum_0_1: f32 = f32();
  var sum_0_2: f32 = f32();
  var sum_0_3: f32 = f32();
  let row_0: i32 = min(first_row + 0, sizes.rows - 1);
  let column_0: i32 = min(first_column + 0, sizes.columns - 1);
  let column_1: i32 = min(first_column + 1, sizes.columns - 1);
  let column_2: i32 = min(first_column + 2, sizes.columns - 1);
  let column_3: i32 = min(first_column + 3, sizes.columns - 1);
  for (var place: i32 = share * 32; place < sizes.depth; place += 512) {
    let words: vec4<u32> = quants_buffer[(sizes.quants_offset + (column_0 * sizes.depth + place) / 8) >> 2u];
    let block: i32 = (column_0 * sizes.depth + place) / 32;
    let scale: f32 = scales_buffer[sizes.scales_offset + block];
    let minimum: f32 = minima_buffer[sizes.minima_offset + block];
    let words_2: vec4<u32> = quants_buffer[(sizes.quants_offset + (column_1 * sizes.depth + place) / 8) >> 2u];
    let block_2: i32 = (column_1 * sizes.depth + place) / 32;
    let scale_2: f32 = scales_buffer[sizes.scales_offset + block_2];
    let minimum_2: f32 = minima_buffer[sizes.minima_offset + block_2];
    let words_3: vec4<u32> = quants_buffer[(sizes.quants_offset + (column_2 * sizes.depth + place) / 8) >> 2u];
    let block_3: i32 = (column_2 * sizes.depth + place) / 32;
    let scale_3: f32 = scales_buffer[sizes.scales_offset + block_3];
    let minimum_3: f32 = minima_buffer[sizes.minima_offset + block_3];
    let words_4: vec4<u32> = quants_buffer[(sizes.quants_offset + (column_3 * sizes.depth + place) / 8) >> 2u];
    let block_4: i32 = (column_3 * sizes.depth + place) / 32;
    let scale_4: f32 = scales_buffer[sizes.scales_offset + block_4];
    let minimum_4: f32 = minima_buffer[sizes.minima_offset + block_4];
    let start: i32 = row_0 * sizes.left_stride + place;
    let left_0: vec4<f32> = left_buffer[(sizes.left_offset + start) >> 2u];
    let right_0: vec4<f32> = unpack_low_nibbles(words.x, scale, minimum);
    sum_0_0 = multiply_add(left_0, right_0, sum_0_0);
    let right_1: vec4<f32> = unpack_low_nibbles(words_2.x, scale_2, minimum_2);
    sum_0_1 = multiply_add(left_0, right_1, sum_0_1);
    let right_2: vec4<f32> = unpack_low_nibbles(words_3.x, scale_3, minimum_3);
    sum_0_2 = multiply_add(left_0, right_2, sum_0_2);
    let right_3: vec4<f32> = unpack_low_nibbles(words_4.x, scale_4, minimum_4);
    sum_0_3 = multiply_add(left_0, right_3, sum_0_3);
    let start_2: i32 = row_0 * sizes.left_stride + (place + 4);
    let left_0_2: vec4<f32> = left_buffer[(sizes.left_offset + start_2) >> 2u];
    let right_0_2: vec4<f32> = unpack_low_nibbles(words.y, scale, minimum);
    sum_0_0 = multiply_add(left_0_2, right_0_2, sum_0_0);
    let right_1_2: vec4<f32> = unpack_low_nibbles(words_2.y, scale_2, minimum_2);
    sum_0_1 = multiply_add(left_0_2, right_1_2, sum_0_1);
    let right_2_2: vec4<f32> = unpack_low_nibbles(words_3.y, scale_3, minimum_3);
    sum_0_2 = multiply_add(left_0_2, right_2_2, sum_0_2);
    let right_3_2: vec4<f32> = unpack_low_nibbles(words_4.y, scale_4, minimum_4);
    sum_0_3 = multiply_add(left_0_2, right_3_2, sum_0_3);
    let start_3: i32 = row_0 * sizes.left_stride + (place + 8);
    let left_0_3: vec4<f32> = left_buffer[(sizes.left_offset + start_3) >> 2u];
    let right_0_3: vec4<f32> = unpack_low_nibbles(words.z, scale, minimum);
    sum_0_0 = multiply_add(left_0_3, right_0_3, sum_0_0);
    let right_1_3: vec4<f32> = unpack_low_nibbles(words_2.z, scale_2, minimum_2);
    sum_0_1 = multiply_add(left_0_3, right_1_3, sum_0_1);
    let right_2_3: vec4<f32> = unpack_low_nibbles(words_3.z, scale_3, minimum_3);
    sum_0_2 = multiply_add(left_0_3, right_2_3, sum_0_2);
    let right_3_3: vec4<f32> = unpack_low_nibbles(words_4.z, scale_4, minimum_4);
    sum_0_3 = multiply_add(left_0_3, right_3_3, sum_0_3);
    let start_4: i32 = row_0 * sizes.left_stride + (place + 12);
    let left_0_4: vec4<f32> = left_buffer[(sizes.left_offset + start_4) >> 2u];
    let right_0_4: vec4<f32> = unpack_low_nibbles(words.w, scale, minimum);
    sum_0_0 = multiply_add(left_0_4, right_0_4, sum_0_0);
    let right_1_4: vec4<f32> = unpack_low_nibbles(words_2.w, scale_2, minimum_2);
    sum_0_1 = multiply_add(left_0_4, right_1_4, sum_0_1);
    let right_2_4: vec4<f32> = unpack_low_nibbles(words_3.w, scale_3, minimum_3);
    sum_0_2 = multiply_add(left_0_4, right_2_4, sum_0_2);
    let right_3_4: vec4<f32> = unpack_low_nibbles(words_4.w, scale_4, minimum_4);
    sum_0_3 = multiply_add(left_0_4, right_3_4, sum_0_3);
    let start_5: i32 = row_0 * sizes.left_stride + (place + 16);
    let left_0_5: vec4<f32> = left_buffer[(sizes.left_offset + start_5) >> 2u];
    let right_0_5: vec4<f32> = unpack_high_nibbles(words.x, scale, minimum);
    sum_0_0 = multiply_add(left_0_5, right_0_5, sum_0_0);
    let right_1_5: vec4<f32> = unpack_high_nibbles(words_2.x, scale_2, minimum_2);
    sum_0_1 = multiply_add(left_0_5, right_1_5, sum_0_1);
    let right_2_5: vec4<f32> = unpack_high_nibbles(words_3.x, scale_3, minimum_3);
    sum_0_2 = multiply_add(left_0_5, right_2_5, sum_0_2);
    let right_3_5: vec4<f32> = unpack_high_nibbles(words_4.x, scale_4, minimum_4);
    sum_0_3 = multiply_add(left_0_5, right_3_5, sum_0_3);
    let start_6: i32 = row_0 * sizes.left_stride + (place + 20);
    let left_0_6: vec4<f32> = left_buffer[(sizes.left_offset + start_6) >> 2u];
    let right_0_6: vec4<f32> = unpack_high_nibbles(words.y, scale, minimum);
    sum_0_0 = multiply_add(left_0_6, right_0_6, sum_0_0);
    let right_1_6: vec4<f32> = unpack_high_nibbles(words_2.y, scale_2, minimum_2);
    sum_0_1 = multiply_add(left_0_6, right_1_6, sum_0_1);
    let right_2_6: vec4<f32> = unpack_high_nibbles(words_3.y, scale_3, minimum_3);
    sum_0_2 = multiply_add(left_0_6, right_2_6, sum_0_2);
    let right_3_6: vec4<f32> = unpack_high_nibbles(words_4.y, scale_4, minimum_4);
    sum_0_3 = multiply_add(left_0_6, right_3_6, sum_0_3);
    let start_7: i32 = row_0 * sizes.left_stride + (place + 24);
    let left_0_7: vec4<f32> = left_buffer[(sizes.left_offset + start_7) >> 2u];
    let right_0_7: vec4<f32> = unpack_high_nibbles(words.z, scale, minimum);
    sum_0_0 = multiply_add(left_0_7, right_0_7, sum_0_0);
    let right_1_7: vec4<f32> = unpack_high_nibbles(words_2.z, scale_2, minimum_2);
    sum_0_1 = multiply_add(left_0_7, right_1_7, sum_0_1);
    let right_2_7: vec4<f32> = unpack_high_nibbles(words_3.z, scale_3, minimum_3);
    sum_0_2 = multiply_add(left_0_7, right_2_7, sum_0_2);
    let right_3_7: vec4<f32> = unpack_high_nibbles(words_4.z, scale_4, minimum_4);
    sum_0_3 = multiply_add(left_0_7, right_3_7, sum_0_3);
    let start_8: i32 = row_0 * sizes.left_stride + (place + 28);
    let left_0_8: vec4<f32> = left_buffer[(sizes.left_offset + start_8) >> 2u];
    let right_0_8: vec4<f32> = unpack_high_nibbles(words.w, scale, minimum);
    sum_0_0 = multiply_add(left_0_8, right_0_8, sum_0_0);
    let right_1_8: vec4<f32> = unpack_high_nibbles(words_2.w, scale_2, minimum_2);
    sum_0_1 = multiply_add(left_0_8, right_1_8, sum_0_1);
    let right_2_8: vec4<f32> = unpack_high_nibbles(words_3.w, scale_3, minimum_3);
    sum_0_2 = multiply_add(left_0_8, right_2_8, sum_0_2);
    let right_3_8: vec4<f32> = unpack_high_nibbles(words_4.w, scale_4, minimum_4);
    sum_0_3 = multiply_add(left_0_8, right_3_8, sum_0_3);
  }
  var mask: i32 = 1;
  while (mask < 16) {
    exchanged_values[thread] = sum_0_0;
    exchanged_values[64 + thread] = sum_0_1;
    exchanged_values[128 + thread] = sum_0_2;
    exchanged_values[192 + thread] = sum_0_3;
    workgroupBarrier();
    sum_0_0 = sum_0_0 + exchanged_values[(thread ^ mask)];
    sum_0_1 = sum_0_1 + exchanged_values[64 + (thread ^ mask)];
    sum_0_2 = sum_0_2 + exchanged_values[128 + (thread ^ mask)];
    sum_0_3 = sum_0_3 + exchanged_values[192 + (thread ^ mask)];
    workgroupBarrier();
    mask = mask * 2;
  }
  let column: i32 = first_column + 0;
  if (share == 0 && column < sizes.columns) {
    if ((first_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + 0) * sizes.result_stride + column] = sum_0_0;
    }
  }
  let column_4: i32 = first_column + 1;
  if (share == 1 && column_4 < sizes.columns) {
    if ((first_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + 0) * sizes.result_stride + column_4] = sum_0_1;
    }
  }
  let column_5: i32 = first_column + 2;
  if (share == 2 && column_5 < sizes.columns) {
    if ((first_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + 0) * sizes.result_stride + column_5] = sum_0_2;
    }
  }
  let column_6: i32 = first_column + 3;
  if (share == 3 && column_6 < sizes.columns) {
    if ((first_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + 0) * sizes.result_stride + column_6] = sum_0_3;
    }
  }
}

// === kernel attention_keys ===
// attention_keys
// Attention of 4 queries of one head a workgroup, 128 keys at a time.

struct Sizes {
  items: i32,
  query_offset: i32,
  key_offset: i32,
  value_offset: i32,
  result_offset: i32,
  batches: i32,
  heads: i32,
  key_heads: i32,
  queries: i32,
  query_batch: i32,
  query_head: i32,
  query_row: i32,
  result_batch: i32,
  result_head: i32,
  result_row: i32,
  keys: i32,
  key_batch: i32,
  key_head: i32,
  key_row: i32,
  value_batch: i32,
  value_head: i32,
  value_row: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> query_buffer: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> key_buffer: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> value_buffer: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> result_buffer: array<vec4<f32>>;

var<workgroup> weights: array<vec4<f32>, 128>;
var<workgroup> staged_queries: array<vec4<f32>, 24>;
var<workgroup> staged_keys: array<vec4<f32>, 520>;
var<workgroup> lane_values: array<vec4<f32>, 128>;
var<workgroup> block_values: array<vec4<f32>, 8>;

@compute @workgroup_size(128)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let tiles: i32 = ((sizes.queries + 3) / 4);
  let batch: i32 = item / tiles / sizes.heads;
  let head: i32 = item / tiles % sizes.heads;
  let key_head: i32 = head / (sizes.heads / sizes.key_heads);
  let first_query: i32 = item % tiles * 4;
  let rows: i32 = min(4, sizes.queries - first_query);
  let row_group: i32 = thread / 128;
  let lane: i32 = thread % 128;
  let column_lane: i32 = lane % 2;
  let split: i32 = lane / 2;
  let query_start: i32 = batch * sizes.query_batch + head * sizes.query_head;
  var maximum: vec4<f32> = vec4<f32>((-4.999999840142846e+37));
  var total: vec4<f32> = vec4<f32>();
  var sum_0_0: vec4<f32> = vec4<f32>();
  var sum_1_0: vec4<f32> = vec4<f32>();
  var sum_2_0: vec4<f32> = vec4<f32>();
  var sum_3_0: vec4<f32> = vec4<f32>();
  // Segment of keys
  let first_stand: i32 = first_query + sizes.keys - sizes.queries;
  let own_stand: i32 = first_stand + row_group * 4;
  let key_start: i32 = batch * sizes.key_batch + key_head * sizes.key_head;
  let value_start: i32 = batch * sizes.value_batch + key_head * sizes.value_head;
  for (var tile: i32 = 0; tile < sizes.keys; tile += 128) {
    let count: i32 = min(128, sizes.keys - tile);
    var score_0: vec4<f32> = vec4<f32>();
    for (var column: i32 = 0; column < 8; column += 8) {
      workgroupBarrier();
      for (var slot: i32 = thread; slot < 8; slot += 128) {
        let row: i32 = slot / 2;
        let part: i32 = slot % 2;
        let from_2: i32 = query_start + (first_query + min(row, rows - 1)) * sizes.query_row;
        let own_column: i32 = column + part * 4;
        staged_queries[part * 6 + row] = query_buffer[(sizes.query_offset + from_2 + own_column) >> 2u];
      }
      for (var slot: i32 = thread; slot < 256; slot += 128) {
        let row_2: i32 = slot / 2;
        let part_2: i32 = slot % 2;
        let from_3: i32 = key_start + (tile + min(row_2, count - 1)) * sizes.key_row;
        let own_column_2: i32 = column + part_2 * 4;
        staged_keys[part_2 * 130 + row_2] = key_buffer[(sizes.key_offset + from_3 + own_column_2) >> 2u];
      }
      workgroupBarrier();
      for (var part_3: i32 = 0; part_3 < 2; part_3 += 1) {
        let query_0: vec4<f32> = staged_queries[part_3 * 6 + row_group * 4 + 0];
        let query_1: vec4<f32> = staged_queries[part_3 * 6 + row_group * 4 + 1];
        let query_2: vec4<f32> = staged_queries[part_3 * 6 + row_group * 4 + 2];
        let query_3: vec4<f32> = staged_queries[part_3 * 6 + row_group * 4 + 3];
        let key_2: vec4<f32> = staged_keys[part_3 * 130 + lane];
        score_0 += vec4<f32>(dot(query_0, key_2), dot(query_1, key_2), dot(query_2, key_2), dot(query_3, key_2));
      }
    }
    let key_3: i32 = tile + lane;
    score_0 = score_0 * 0.3535533845424652;
    score_0 = select(vec4<f32>((-9.999999680285692e+37)), score_0, lane < count);
    var tile_maximum: vec4<f32> = score_0;
    lane_values[thread] = tile_maximum;
    workgroupBarrier();
    let start: i32 = thread / 16 * 16;
    var group_maximum: vec4<f32> = lane_values[start];
    for (var other: i32 = 1; other < 16; other += 1) {
      group_maximum = max(group_maximum, lane_values[start + other]);
    }
    if (thread % 16 == 0) {
      block_values[thread / 16] = group_maximum;
    }
    workgroupBarrier();
    let start_2: i32 = thread / 128 * 8;
    var group_maximum_2: vec4<f32> = block_values[start_2];
    for (var other: i32 = 1; other < 8; other += 1) {
      group_maximum_2 = max(group_maximum_2, block_values[start_2 + other]);
    }
    let raised: vec4<f32> = max(maximum, group_maximum_2);
    let factor: vec4<f32> = exp(maximum - raised);
    maximum = raised;
    total = total * factor;
    sum_0_0 = sum_0_0 * factor.x;
    sum_1_0 = sum_1_0 * factor.y;
    sum_2_0 = sum_2_0 * factor.z;
    sum_3_0 = sum_3_0 * factor.w;
    let weight: vec4<f32> = exp(score_0 - maximum);
    total += weight;
    weights[row_group * 128 + lane] = weight;
    workgroupBarrier();
    for (var number: i32 = split; number < count; number += 64) {
      let weight_2: vec4<f32> = weights[row_group * 128 + number];
      let from_4: i32 = value_start + (tile + number) * sizes.value_row;
      let value_0: vec4<f32> = value_buffer[(sizes.value_offset + from_4 + column_lane * 4) >> 2u];
      sum_0_0 += weight_2.x * value_0;
      sum_1_0 += weight_2.y * value_0;
      sum_2_0 += weight_2.z * value_0;
      sum_3_0 += weight_2.w * value_0;
    }
  }
  workgroupBarrier();
  lane_values[thread] = total;
  workgroupBarrier();
  let start_3: i32 = thread / 16 * 16;
  var row_total: vec4<f32> = lane_values[start_3];
  for (var other: i32 = 1; other < 16; other += 1) {
    row_total = row_total + lane_values[start_3 + other];
  }
  if (thread % 16 == 0) {
    block_values[thread / 16] = row_total;
  }
  workgroupBarrier();
  let start_4: i32 = thread / 128 * 8;
  var row_total_2: vec4<f32> = block_values[start_4];
  for (var other: i32 = 1; other < 8; other += 1) {
    row_total_2 = row_total_2 + block_values[start_4 + other];
  }
  // a query that sees no key has a total of 0: zeros
  let inverse: vec4<f32> = vec4<f32>(select(0.0, 1.0 / row_total_2.x, row_total_2.x > 0.0), select(0.0, 1.0 / row_total_2.y, row_total_2.y > 0.0), select(0.0, 1.0 / row_total_2.z, row_total_2.z > 0.0), select(0.0, 1.0 / row_total_2.w, row_total_2.w > 0.0));
  let result_start: i32 = batch * sizes.result_batch + head * sizes.result_head;
  workgroupBarrier();
  lane_values[thread] = sum_0_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 0 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 64; other += 1) {
      sum_0_0 += lane_values[thread + other * 2];
    }
    let place: i32 = result_start + (first_query + row_group * 4 + 0) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place) >> 2u] = sum_0_0 * inverse.x;
  }
  workgroupBarrier();
  lane_values[thread] = sum_1_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 1 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 64; other += 1) {
      sum_1_0 += lane_values[thread + other * 2];
    }
    let place_2: i32 = result_start + (first_query + row_group * 4 + 1) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place_2) >> 2u] = sum_1_0 * inverse.y;
  }
  workgroupBarrier();
  lane_values[thread] = sum_2_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 2 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 64; other += 1) {
      sum_2_0 += lane_values[thread + other * 2];
    }
    let place_3: i32 = result_start + (first_query + row_group * 4 + 2) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place_3) >> 2u] = sum_2_0 * inverse.z;
  }
  workgroupBarrier();
  lane_values[thread] = sum_3_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 3 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 64; other += 1) {
      sum_3_0 += lane_values[thread + other * 2];
    }
    let place_4: i32 = result_start + (first_query + row_group * 4 + 3) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place_4) >> 2u] = sum_3_0 * inverse.w;
  }
}
