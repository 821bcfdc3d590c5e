;; type 0 is not of values
(component (type $f (func)) (type (list $f)))
