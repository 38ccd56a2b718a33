declare const TENANTCTL_VERSION: string;

/** Set by the build from package.json. */
export const version: string = typeof TENANTCTL_VERSION === 'undefined' ? 'unbuilt' : TENANTCTL_VERSION;
