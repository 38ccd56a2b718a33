/** Holds tenants back that are about to be begun. */
export interface Pace {
  /** None may be begun now. */
  readonly isHeld: boolean;
  /** Resolves when one may be begun, or nothing is to be begun any more. */
  ready(): Promise<void>;
}
