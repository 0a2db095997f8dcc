const LOOPBACK = /^(localhost|127(\.\d+){3}|::1)$/;

/** Whether only this machine can reach who listens at this address. */
export const isLoopback = (host: string): boolean => LOOPBACK.test(host);
