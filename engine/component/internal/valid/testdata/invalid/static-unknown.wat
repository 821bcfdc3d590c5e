;; there is no resource "r" beside it
(component (import "[static]r.m" (func)))
