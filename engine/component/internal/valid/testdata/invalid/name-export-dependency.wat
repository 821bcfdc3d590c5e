;; is no name of an export
(component (component $c) (export "unlocked-dep=<a:b>" (component $c)))
