#pragma once
enum { ENOMEM = 1, EINVAL, ENFILE, EMFILE, ECANCELED };
