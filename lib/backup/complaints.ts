import { HoldfastError, isHoldfastError } from '../model/errors.ts';

/** Something stands still that should not: more urgent than why there is no backup. */
export function withComplaints(error: unknown, complaints: readonly string[]): unknown {
  if (complaints.length === 0) return error;
  const { code, message, nextStep, data } = isHoldfastError(error) ? error : new HoldfastError('broken-invariant', error instanceof Error ? error.message : String(error));
  return new HoldfastError(code, `${complaints.join(' ')} And there is no backup: ${message}`, { ...(nextStep !== undefined && { nextStep }), data: { ...data, complaints }, cause: error });
}

/** What the failure of a run says of it; none of most. */
export function complaintsIn(error: unknown): readonly string[] {
  const complaints = isHoldfastError(error) ? error.data['complaints'] : undefined;
  return Array.isArray(complaints) ? complaints.map(String) : [];
}
