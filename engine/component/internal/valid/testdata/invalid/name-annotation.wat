;; "[getter]a.b" is no name
(component (import "[getter]a.b" (func)))
