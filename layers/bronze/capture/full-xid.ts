/** The 64-bit id whose lower half this is, of those around a known one. */
export function fullXid(known: bigint, xid: number): bigint {
  const distance = BigInt.asIntN(32, BigInt(xid) - BigInt.asUintN(32, known));
  return known + distance;
}
