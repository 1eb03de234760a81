/** Digits of a finite number, with a point or an exponent. Nine say every float32, but for those that need more of a double; what is short stays short. */
export function floatDigits(value: number): string {
  const nine = Number(value.toPrecision(9));
  const digits = String(nine === value ? nine : value);
  return /[.e]/.test(digits) ? digits : `${digits}.0`;
}

const view = new DataView(new ArrayBuffer(4));
/** The bits of a number as float32. */
export function bitsOfFloat(value: number): number {
  view.setFloat32(0, value);
  return view.getUint32(0);
}
