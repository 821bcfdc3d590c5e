;; "" is no name of an import or export
(component (import "" (func)))
