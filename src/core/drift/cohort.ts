import type { TenantNames } from '../../names.ts';
import type { ShapeDifference } from '../shape/compare-shapes.ts';

/** Tenants with the same history and the same shape. */
export interface Cohort {
  /** Of the shape; SHA-256 in hex. */
  readonly digest: string;
  readonly outcome: 'alike' | 'differs' | 'not-compared';
  /** The last migration that they have; null without any. */
  readonly version: string | null;
  /** Migrations and repeatable scripts that they lack. */
  readonly pending: readonly string[];
  readonly tenants: readonly TenantNames[];
  /** The first of them, without the statements; see `differenceCount`. */
  readonly differences: readonly Pick<ShapeDifference, 'kind' | 'name' | 'difference'>[];
  readonly differenceCount: number;
  /** What leads into another tenant's schema. */
  readonly leads: readonly Lead[];
  /** Why they were not compared. */
  readonly reason?: string | undefined;
}

/** An object whose statement names the schema of another tenant. */
export interface Lead {
  readonly kind: string;
  readonly name: string;
  readonly schema: string;
}

/** Differences that a cohort keeps, so that memory is bounded. */
export const KEPT_DIFFERENCES = 100;
