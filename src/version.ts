declare const TENANTCTL_VERSION: string;

/** Written in by the build, from package.json. */
export const version: string = typeof TENANTCTL_VERSION === 'undefined' ? 'unbuilt' : TENANTCTL_VERSION;
