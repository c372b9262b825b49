export const USER_WANTED = 'the name of a user, or a reference to it';
