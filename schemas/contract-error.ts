/** A contract that contradicts itself. The message names the contract and what to correct. */
export class ContractError extends Error {
  override readonly name = "ContractError";
  readonly code = "CONTRACT_DEFINITION";

  constructor(contract: string, problem: string) {
    super(`contract ${contract}: ${problem}`);
  }
}
