;; there are less than 1 components and types around
(component (core type (module (alias outer 2 0 (type)))))
