// The session's key: what a button must send beside the cookie. Kept for this tab only; scripts of other ports never see it.

const NAME = "deltawire-key";

export const keep = (key) => sessionStorage.setItem(NAME, key);
export const key = () => sessionStorage.getItem(NAME) ?? "";
