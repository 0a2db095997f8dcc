/** References between contracts, looked up when all of them are there. */
import { ContractError } from "./contract-error.ts";
import type { AnyContract } from "./table.ts";

export interface ResolvedReference {
  readonly column: string;
  /** Name of the contract that is referred to. */
  readonly contract: string;
  readonly target: string;
}

/**
 * The references of a contract.
 *
 * @throws ContractError where the other column is not there, is of another type, or may occur more than once.
 */
export function referencesOf(contract: AnyContract): ResolvedReference[] {
  return Object.entries(contract.columns).flatMap(([name, { type, reference }]): ResolvedReference[] => {
    if (reference === undefined) return [];
    const other = reference.contract();
    const place = `${other.name}.${reference.column}`;
    const fail = (problem: string): never => {
      throw new ContractError(contract.name, `column "${name}" refers to ${place}, ${problem}`);
    };
    const target = other.columns[reference.column] ?? fail("which does not exist");
    if (JSON.stringify(target.type) !== JSON.stringify(type)) {
      fail(`which is of type ${JSON.stringify(target.type)}, not ${JSON.stringify(type)}`);
    }
    const isOne = [other.key, ...other.unique].some(
      (columns) => columns.length === 1 && columns[0] === reference.column,
    );
    if (!isOne) fail("which is neither the key nor unique");
    return [{ column: name, contract: other.name, target: reference.column }];
  });
}
