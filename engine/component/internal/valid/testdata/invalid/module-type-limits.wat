;; a limit of at least 2 and at most 1
(component (core type (module (export "a" (table 2 1 funcref)))))
